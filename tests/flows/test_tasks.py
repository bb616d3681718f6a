import torch

from flows.tasks import GPU_TAG, device_tags


def test_only_what_uses_a_gpu_takes_turns_on_it():
    assert device_tags("cpu") == []
    assert device_tags("auto") == ([GPU_TAG] if torch.cuda.is_available() else [])
