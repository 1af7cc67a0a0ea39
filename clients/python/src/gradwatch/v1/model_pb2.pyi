from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
TENSOR_ROLE_BIAS: TensorRole
TENSOR_ROLE_EMBEDDING: TensorRole
TENSOR_ROLE_HEAD: TensorRole
TENSOR_ROLE_NORM: TensorRole
TENSOR_ROLE_RECURRENT: TensorRole
TENSOR_ROLE_UNSPECIFIED: TensorRole
TENSOR_ROLE_WEIGHT: TensorRole

class Layer(_message.Message):
    __slots__ = ["activation", "fan_in", "fan_out", "module_type", "name", "normalization", "residual"]
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    FAN_IN_FIELD_NUMBER: _ClassVar[int]
    FAN_OUT_FIELD_NUMBER: _ClassVar[int]
    MODULE_TYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    NORMALIZATION_FIELD_NUMBER: _ClassVar[int]
    RESIDUAL_FIELD_NUMBER: _ClassVar[int]
    activation: str
    fan_in: int
    fan_out: int
    module_type: str
    name: str
    normalization: str
    residual: bool
    def __init__(self, name: _Optional[str] = ..., module_type: _Optional[str] = ..., activation: _Optional[str] = ..., normalization: _Optional[str] = ..., residual: bool = ..., fan_in: _Optional[int] = ..., fan_out: _Optional[int] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ["layers", "tensors"]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    layers: _containers.RepeatedCompositeFieldContainer[Layer]
    tensors: _containers.RepeatedCompositeFieldContainer[Tensor]
    def __init__(self, layers: _Optional[_Iterable[_Union[Layer, _Mapping]]] = ..., tensors: _Optional[_Iterable[_Union[Tensor, _Mapping]]] = ...) -> None: ...

class Tensor(_message.Message):
    __slots__ = ["element_count", "frozen", "initialization", "layer_id", "name", "role", "shape", "tied_to"]
    ELEMENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    FROZEN_FIELD_NUMBER: _ClassVar[int]
    INITIALIZATION_FIELD_NUMBER: _ClassVar[int]
    LAYER_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    TIED_TO_FIELD_NUMBER: _ClassVar[int]
    element_count: int
    frozen: bool
    initialization: str
    layer_id: int
    name: str
    role: TensorRole
    shape: _containers.RepeatedScalarFieldContainer[int]
    tied_to: int
    def __init__(self, name: _Optional[str] = ..., layer_id: _Optional[int] = ..., role: _Optional[_Union[TensorRole, str]] = ..., shape: _Optional[_Iterable[int]] = ..., element_count: _Optional[int] = ..., initialization: _Optional[str] = ..., frozen: bool = ..., tied_to: _Optional[int] = ...) -> None: ...

class TensorRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
