"""``python -m tests.make_vectors [KIND ...]``: write the test vectors again, all or some kinds."""

import sys

from tests.make_vectors import VECTORS
from tests.make_vectors.every import KINDS, write

write(VECTORS, [kind for kind in KINDS if kind in sys.argv[1:] or not sys.argv[1:]])
