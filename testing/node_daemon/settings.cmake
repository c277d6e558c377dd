# Real daemons and real processes, one test at a time.
set(MANTA_TESTING_LABEL scenario)
set(MANTA_TESTING_DEPS base shm contracts)
set(MANTA_TESTING_TIMEOUT 60)
