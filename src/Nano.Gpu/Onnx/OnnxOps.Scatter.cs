namespace Nano;

internal sealed partial class OnnxOps
{
    /// <summary>
    /// Bytes of the largest tensor that gradients are scattered into at once. WebGPU promises
    /// shaders 128 MB of one buffer; on a device that has no more, ONNX Runtime 1.30 divides larger
    /// tensors itself in every op but this.
    /// </summary>
    public long LargestTarget { get; init; } = 1L << 27;

    /// <summary>
    /// dtable[ids[i]] += dy[i]; a table that is too large is taken in parts, to each of which rows
    /// that belong to others add zeros.
    /// </summary>
    private void ScatterAdd(Tensor table, string ids, string dy)
    {
        int V = table.Shape[0], C = table.Shape[1], most = (int)Math.Clamp(LargestTarget / (C * sizeof(float)), 1, V);
        string? into = HasGradient(table) ? Gradient(table) : null;
        string rows = Reshaped(ids, -1, 1), updates = Reshaped(dy, -1, C);
        List<string> parts = [];
        for (int first = 0; first < V; first += most)
        {
            int count = Math.Min(most, V - first);
            string target = into is null ? graph.Node("ConstantOfShape", [graph.Integers(count, C)]) : count == V ? into
                : Columns(into, 0, first, count);
            var (at, what) = count == V ? (rows, updates) : Within(rows, updates, first, count);
            parts.Add(ScatterAdd(target, C, at, what));
        }
        gradients[table] = [new(0, C, parts.Count == 1 ? parts[0] : graph.Node("Concat", parts, ("axis", 0)))];
    }

    /// <summary>
    /// Indices have the shape of the updates [N, C], made by adding zeros, for they need no shape
    /// that is only known when it runs.
    /// </summary>
    private string ScatterAdd(string into, int C, string rows, string updates)
    {
        string zeros = Cast(graph.Node("ConstantOfShape", [graph.Integers(1, C)]), OnnxType.Int32);
        return graph.Node("ScatterElements", [into, Node("Add", rows, zeros), updates], ("axis", 0),
            ("reduction", "add"));
    }

    /// <summary>
    /// Rows and updates as a part of the table sees them that begins at a row: those outside are
    /// zeros for its first.
    /// </summary>
    private (string Rows, string Updates) Within(string rows, string updates, int first, int count)
    {
        string place = Plus(Cast(rows, OnnxType.Float32), -first); // exact below 2^24
        string inside = Node("And", Node("GreaterOrEqual", place, graph.Constant(0)),
            Node("Less", place, graph.Constant(count)));
        return (Cast(Node("Where", inside, place, graph.Constant(0)), OnnxType.Int32), Node("Where", inside, updates,
            graph.Constant(0)));
    }
}
