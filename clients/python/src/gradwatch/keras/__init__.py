"""Keras 3: a callback that reports each optimizer step of `fit`, with the PyTorch and the JAX back end.

```python
model.fit(x, y, callbacks=[gradwatch.keras.GradwatchCallback(project="digits")])
```
"""

from .callback import GradwatchCallback

__all__ = ["GradwatchCallback"]
