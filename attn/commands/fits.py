"""What the commands ask for, against the memory that there is: said before anything is drawn or trained."""

from typing import TYPE_CHECKING

from attn import memory

if TYPE_CHECKING:
    from attn.models import ModelConfig
    from attn.processes import PairProcess
    from attn.shards import Shards
    from attn.stream import TrainingData
    from attn.train import TrainConfig
    from attn.types import Pairs


def require_drawing(process: "PairProcess", number: int) -> None:
    """Raise MemoryLimitError where so many pairs cannot be drawn."""
    num_bytes = memory.of_pairs(number, _length(process))
    memory.require_memory(num_bytes, "drawing these pairs", "fewer --number, or --shards")


def require_training(
    source: "TrainingData", config: "TrainConfig", model: "ModelConfig", num_workers: int = 1
) -> None:
    """Raise MemoryLimitError where a training cannot fit, each worker with its rows of a batch."""
    from attn.models import num_weights

    length = _length(source)
    num_maps = getattr(model, "num_layers", 1) * model.num_heads
    num_rows = -(-config.batch_size // num_workers)
    num_bytes = memory.of_training(num_weights(model), num_maps, num_rows, length)
    num_bytes += memory.of_pairs(config.num_test_pairs, length)
    memory.require_memory(num_bytes, "this training", "smaller --batch-size, --num-points or --width")


def require_inference(process: "PairProcess", number: int, num_targets: int, num_samples: int) -> None:
    """Raise MemoryLimitError where `num_targets` points of so many drawn pairs cannot be written."""
    num_bytes = memory.of_inference(number, _length(process), num_targets, num_samples)
    memory.require_memory(num_bytes, "this inference", "fewer --number, --samples or --num-points")


def _length(source: "PairProcess | Pairs | Shards") -> int:
    """Points of a pair, of all its series."""
    return source.num_points * getattr(source, "num_series", 1)
