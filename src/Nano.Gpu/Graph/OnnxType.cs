namespace Nano;

/// <summary>Element types by their numbers in onnx.proto (TensorProto.DataType).</summary>
public enum OnnxType
{
    /// <summary>float32.</summary>
    Float32 = 1,

    /// <summary>int32.</summary>
    Int32 = 6,

    /// <summary>int64.</summary>
    Int64 = 7,

    /// <summary>bool.</summary>
    Bool = 9,

    /// <summary>float16.</summary>
    Float16 = 10,
}
