namespace Nano;

/// <summary>Element types by their numbers in onnx.proto (TensorProto.DataType).</summary>
public enum OnnxType
{
    Float32 = 1,
    Int32 = 6,
    Int64 = 7,
    Bool = 9,
    Float16 = 10,
}
