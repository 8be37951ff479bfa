"""Silences what TensorFlow writes to stderr while it starts; to be called before it is imported."""

import logging
import os


def silence_tensorflow() -> None:
    """Keep the start-up messages of TensorFlow and absl from the terminal.

    What the user has set in the environment stands.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GLOG_minloglevel", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    logging.getLogger("absl").setLevel(logging.ERROR)
