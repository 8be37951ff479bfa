"""Which position may see which: the only place that decides it.  True = may see.

Every mask has shape [B,Q,K] (rows are queries, columns are keys), or broadcasts to it.
"""

import tensorflow as tf


def earlier(valid: tf.Tensor) -> tf.Tensor:
    """Query t sees the valid keys < t: what a prediction may know.

    valid [B,L] bool -> [B,L,L] bool.  The first row sees nothing.
    """
    position = tf.range(tf.shape(valid)[1])
    return valid[:, None, :] & (position[None, :] < position[:, None])[None]  # [B,1,K] & [1,Q,K]


def context_and_earlier(valid: tf.Tensor, num_context: tf.Tensor) -> tf.Tensor:
    """Context points see all of the context; a target sees the context, earlier targets and itself.

    For tokens that carry their own y.  valid [B,L] bool, num_context [B] int -> [B,L,L] bool.
    """
    position = tf.range(tf.shape(valid)[1])
    not_later = position[None, :] <= position[:, None]  # [Q,K]
    is_context_key = position[None, :] < num_context[:, None]  # [B,K]
    return valid[:, None, :] & (not_later[None] | is_context_key[:, None, :])


def others_and_earlier(valid: tf.Tensor, num_context: tf.Tensor) -> tf.Tensor:
    """Context points see all of the context but themselves; a target sees the context and earlier targets.

    For tokens that must not know their own y.  valid [B,L] bool, num_context [B] int -> [B,L,L] bool.
    """
    position = tf.range(tf.shape(valid)[1])
    is_other = (position[None, :] != position[:, None])[None]
    return context_and_earlier(valid, num_context) & is_other


def written(num_slots: int, step: tf.Tensor) -> tf.Tensor:
    """The slots of a cache that `step` steps have filled: [num_slots] bool."""
    return tf.range(num_slots) < step
