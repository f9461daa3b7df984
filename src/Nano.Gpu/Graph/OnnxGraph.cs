using System.Globalization;
using System.Runtime.InteropServices;

namespace Nano;

/// <summary>
/// An ONNX graph in the making: nodes in the order in which they are asked for, each value under a
/// name. Opset 17 and IR version 8, which every ONNX Runtime since 1.12 reads; field numbers are
/// those of onnx.proto.
/// </summary>
internal sealed class OnnxGraph(string name)
{
    private const int IrVersion = 8, Opset = 17;

    /// <summary>Inputs of a shader and its outputs may be few: what has more parts is joined in steps.</summary>
    private const int MostParts = 4;

    private sealed record NodeBytes(IReadOnlyList<string> From, IReadOnlyList<string> To, ReadOnlyMemory<byte> Bytes);

    private readonly List<NodeBytes> nodes = [];
    private readonly List<ReadOnlyMemory<byte>> inputs = [], outputs = [];
    private readonly List<string> results = [];
    private readonly List<OnnxWeight> weights = [];
    private readonly Dictionary<string, string> constants = new(StringComparer.Ordinal);

    /// <summary>Nodes that the outputs need.</summary>
    public int NodeCount => Needed().Count;

    /// <summary>Bytes of the weights.</summary>
    public long WeightBytes => weights.Sum(weight => weight.Bytes);

    /// <summary>
    /// The prefix of the names of nodes, which tells their place in the model, such as
    /// "h.3.attn.c_attn/Linear/".
    /// </summary>
    public string Scope { get; set; } = "";

    /// <summary>The name of the graph: the kind of its model.</summary>
    public string Name => name;

    /// <summary>A name that no value has yet, in the scope, for one of several outputs of the next node.</summary>
    public string NewName(string output) => $"{Scope}{output}_{nodes.Count}";

    /// <summary>Adds a node and returns the name of its one output, which is its own: scope, type and number.</summary>
    public string Node(string op, IReadOnlyList<string> from,
        params ReadOnlySpan<(string Key, object Value)> attributes)
    {
        string output = $"{Scope}{op}_{nodes.Count}";
        Node(op, from, [output], attributes);
        return output;
    }

    /// <summary>A value as another type.</summary>
    public string Cast(string value, OnnxType type) => Node("Cast", [value], ("to", (int)type));

    /// <summary>Adds a node whose outputs have names already.</summary>
    public void Node(string op, IReadOnlyList<string> from, IReadOnlyList<string> to,
        params ReadOnlySpan<(string Key, object Value)> attributes)
    {
        var node = new Protobuf();
        foreach (string input in from)
            node.Text(1, input);
        foreach (string output in to)
            node.Text(2, output);
        node.Text(3, $"{Scope}{op}_{nodes.Count}");
        node.Text(4, op);
        foreach (var (key, value) in attributes)
            node.Message(5, attribute => Attribute(attribute, key, value));
        nodes.Add(new(from, to, node.Written));
    }

    /// <summary>Values one behind the other, along their first axis.</summary>
    public string Joined(IReadOnlyList<string> parts) => parts.Count == 1 ? parts[0]
        : Joined([.. parts.Chunk(MostParts)
            .Select(some => some.Length == 1 ? some[0] : Node("Concat", some, ("axis", 0)))]);

    private static void Attribute(Protobuf attribute, string key, object value)
    {
        attribute.Text(1, key);
        switch (value)
        {
            case float number:
                attribute.Float(2, number);
                attribute.Integer(20, 1);
                break;
            case int number:
                attribute.Integer(3, number);
                attribute.Integer(20, 2);
                break;
            case string text:
                attribute.Text(4, text);
                attribute.Integer(20, 3);
                break;
            case int[] numbers:
                foreach (int number in numbers)
                    attribute.Integer(8, number);
                attribute.Integer(20, 7);
                break;
            default:
                throw new ArgumentException($"unsupported attribute type {value.GetType().Name} of the value {value}");
        }
    }

    /// <summary>A number as a constant; equal ones are one.</summary>
    public string Constant(float value) => Constant(string.Create(CultureInfo.InvariantCulture, $"f{value:R}"),
        OnnxType.Float32, [], MemoryMarshal.AsBytes([value]));

    /// <summary>Numbers as a constant vector of 64-bit integers: shapes and axes.</summary>
    public string Integers(params ReadOnlySpan<long> values) =>
        Constant("i" + string.Join('_', values.ToArray()), OnnxType.Int64, [values.Length],
            MemoryMarshal.AsBytes(values));

    /// <summary>An integer without dimensions, of a type.</summary>
    public string Scalar(long value, OnnxType type = OnnxType.Int64) =>
        type == OnnxType.Int64 ? Constant($"s{value}", type, [], MemoryMarshal.AsBytes([value]))
        : Constant($"t{value}", type, [], MemoryMarshal.AsBytes([(int)value]));

    /// <summary>A constant under a name that tells its value.</summary>
    private string Constant(string key, OnnxType type, long[] shape, ReadOnlySpan<byte> bytes)
    {
        if (constants.TryGetValue(key, out string? known))
            return known;
        byte[] copy = bytes.ToArray();
        string constant = $"const_{key.Replace('-', 'm')}";
        weights.Add(new OnnxWeight(constant, type, shape, copy.Length,
            stream => stream.Write(copy))
        { IsSmall = true });
        return constants[key] = constant;
    }

    /// <summary>Adds a tensor that the file holds.</summary>
    public void Weight(OnnxWeight weight) => weights.Add(weight);

    /// <summary>The shape of a tensor, for an input or output.</summary>
    public static object[] Dimensions(Tensor tensor) => [.. tensor.Shape.ToArray().Cast<object>()];

    /// <summary>Declares an input; a dimension is a number, or a name for one that is known when it runs.</summary>
    public void Input(string input, OnnxType type, params ReadOnlySpan<object> shape) =>
        inputs.Add(ValueInfo(input, type, shape));

    /// <summary>Declares a value that has been made as an output.</summary>
    public void Output(string output, OnnxType type, params ReadOnlySpan<object> shape) =>
        Output(output, ValueInfo(output, type, shape));

    /// <summary>Declares an input whose shape is not known before it runs.</summary>
    public void InputOfAnyShape(string input, OnnxType type) => inputs.Add(OfAnyShape(input, type));

    /// <summary>Declares a value that has been made as an output whose shape is not known before it runs.</summary>
    public void OutputOfAnyShape(string output, OnnxType type) => Output(output, OfAnyShape(output, type));

    private void Output(string output, ReadOnlyMemory<byte> info)
    {
        results.Add(output);
        outputs.Add(info);
    }

    /// <summary>The nodes that some output is made of, in their order; the others would be computed in vain.</summary>
    private List<NodeBytes> Needed()
    {
        var values = new HashSet<string>(results, StringComparer.Ordinal);
        var needed = new List<NodeBytes>();
        foreach (var node in Enumerable.Reverse(nodes).Where(node => node.To.Any(values.Contains)))
        {
            needed.Add(node);
            values.UnionWith(node.From);
        }
        needed.Reverse();
        return needed;
    }

    private static ReadOnlyMemory<byte> OfAnyShape(string name, OnnxType type)
    {
        var info = new Protobuf();
        info.Text(1, name);
        info.Message(2, kind => kind.Message(1, tensor => tensor.Integer(1, (int)type)));
        return info.Written;
    }

    /// <summary>Declares a value as a float output under a name of its own.</summary>
    public void Result(string output, string value, params ReadOnlySpan<object> shape)
    {
        Node("Identity", [value], [output]);
        Output(output, OnnxType.Float32, shape);
    }

    private static ReadOnlyMemory<byte> ValueInfo(string name, OnnxType type, ReadOnlySpan<object> shape)
    {
        var dimensions = shape.ToArray();
        var info = new Protobuf();
        info.Text(1, name);
        info.Message(2, kind => kind.Message(1, tensor =>
        {
            tensor.Integer(1, (int)type);
            tensor.Message(2, dims =>
            {
                foreach (object dimension in dimensions)
                    dims.Message(1, dim =>
                    {
                        if (dimension is string symbol)
                            dim.Text(2, symbol);
                        else
                            dim.Integer(1, Convert.ToInt64(dimension, CultureInfo.InvariantCulture));
                    });
            });
        }));
        return info.Written;
    }

    /// <summary>The model as an .onnx file.</summary>
    /// <param name="external">The file beside it that holds the weights, or null to have them
    /// inside: 2 GB at most.</param>
    public ReadOnlyMemory<byte> ToModel(string? external = null)
    {
        var model = new Protobuf();
        model.Integer(1, IrVersion);
        model.Text(2, "nano");
        model.Message(7, graph =>
        {
            foreach (var node in Needed())
                graph.Bytes(1, node.Bytes.Span);
            graph.Text(2, name);
            long offset = 0;
            foreach (var weight in weights)
                graph.Message(5, tensor => offset = weight.WriteTo(tensor, external, offset));
            foreach (var input in inputs)
                graph.Bytes(11, input.Span);
            foreach (var output in outputs)
                graph.Bytes(12, output.Span);
        });
        model.Message(8, opset =>
        {
            opset.Text(1, "");
            opset.Integer(2, Opset);
        });
        return model.Written;
    }

    /// <summary>Writes the file of external data.</summary>
    public void WriteWeights(Stream stream)
    {
        long offset = 0;
        foreach (var weight in weights.Where(weight => !weight.IsSmall))
        {
            for (; offset < OnnxWeight.Start(offset); offset++)
                stream.WriteByte(0);
            weight.Write(stream);
            offset += weight.Bytes;
        }
    }
}
