"""``python -m tests.make_vectors``: write the test vectors again."""

from tests.make_vectors import VECTORS
from tests.make_vectors.every import write

write(VECTORS)
