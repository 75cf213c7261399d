"""virtio-mem and virtio-balloon, as they are in the kernel, with devices in a test module that mean no good."""

import os

import kunit_module
import pytest

pytestmark = pytest.mark.part("hostile")

MODULE = "virtio_hostile_kunit"

# RAM that the kernel does not know of, behind the virtio-mem device: 3 memory blocks.
HIDDEN, HIDDEN_SIZE = 0x30000000, 3 << 27
# Another one: VIRTIO_HOSTILE_SEED=1 ./run check test_virtio_hostile
SEED = os.environ.get("VIRTIO_HOSTILE_SEED", "20261126")


@pytest.fixture(scope="module")
def results(request):
    """Of the cases that pytest has been asked for: one alone is for a kernel that does not survive all."""
    chosen = [item.callspec.params["case"] for item in request.session.items
              if item.originalname == "test_virtio_hostile"]
    size = HIDDEN_SIZE >> 20
    return kunit_module.run(
        MODULE, only=f"virtio_hostile*.{os.path.commonprefix(chosen)}*", memory="1536M", timeout=1800, append=(
            "kunit.timeout=1200 memhp_default_state=online_movable memory_hotplug.memmap_on_memory=1 "
            f"memmap={size}M%{HIDDEN:#x}-1"),
        parameters=f"hotadd={HIDDEN:#x} hotadd_size={HIDDEN_SIZE} seed={SEED}")


@pytest.mark.parametrize("case", kunit_module.cases(MODULE))
def test_virtio_hostile(results, case):
    kunit_module.check(results, case)
