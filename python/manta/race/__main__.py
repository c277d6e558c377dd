"""python -m manta.race"""

import sys

from manta.race.command import main

if __name__ == "__main__":
    sys.exit(main())
