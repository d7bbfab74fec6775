"""Random cases, extreme and bad, through every public function of the package."""

import os

# The time of a case is that of its process. Threads of the linear algebra that wait for each
# other, as on a busy machine, would be counted as computing; numpy reads this when it loads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
