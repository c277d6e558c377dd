set(MANTA_TESTING_DEPS base shm)
