namespace Nano;

/// <summary>
/// A golden case at work: the inputs that were read, the results by the case's names. Where an op has dimensions in
/// another order than the case, two of them are exchanged on the way in and out.
/// </summary>
internal sealed class GoldenRun(GoldenOp test, Compute compute)
{
    private readonly Dictionary<string, (Tensor Tensor, (int, int) Exchanged)> inputs = [];

    public Compute Compute => compute;

    public GoldenOp Test => test;

    /// <summary>The outputs and gradients so far.</summary>
    public Dictionary<string, float[]> Results { get; } = [];

    /// <summary>A whole number among the case's attributes.</summary>
    public int Number(string name, int otherwise) =>
        test.Attributes.TryGetProperty(name, out var value) ? value.GetInt32() : otherwise;

    /// <summary>An input, or null if the case has none of that name.</summary>
    public Tensor? Optional(string name, (int, int) exchanged = default) =>
        test.Inputs.Contains(name) ? Input(name, exchanged) : null;

    /// <summary>An input.</summary>
    public Tensor Input(string name, (int, int) exchanged = default)
    {
        var tensor = Exchanged(GoldenOpRunner.Floats(test, name), exchanged);
        inputs[name] = (tensor, exchanged);
        return tensor;
    }

    /// <summary>Notes an output.</summary>
    public void Output(string name, Tensor actual, (int, int) exchanged = default) =>
        Results[name] = Exchanged(actual, exchanged).Data.ToArray();

    /// <summary>Runs back from y for the case's upstream gradient, and notes the gradients of all inputs.</summary>
    public Dictionary<string, float[]> Differentiate(Tensor y, (int, int) exchanged = default)
    {
        if (test.Gradients.Count == 0)
            return Results;
        var upstream = test.Upstream == "1 (scalar)" ? null
            : Exchanged(GoldenOpRunner.Floats(test, test.Upstream), exchanged).Reshape(y.Shape);
        compute.Tape!.Backward(compute, y, upstream);
        return NoteGradients();
    }

    /// <summary>Notes the gradients of all inputs.</summary>
    public Dictionary<string, float[]> NoteGradients()
    {
        foreach (string name in test.Gradients)
        {
            var (tensor, exchanged) = inputs[name[1..]];
            Output(name, tensor.Gradient, exchanged);
        }
        return Results;
    }

    /// <summary>A copy with two dimensions exchanged.</summary>
    private static Tensor Exchanged(Tensor from, (int A, int B) dims)
    {
        if (dims.A == dims.B)
            return Tensor.From(from.Shape, from.Data);
        int rank = from.Shape.Rank;
        int[] order = [.. Enumerable.Range(0, rank).Select(i => i == dims.A ? dims.B : i == dims.B ? dims.A : i)];
        int[] sizes = [.. order.Select(i => from.Shape[i])];
        var to = new Tensor(new Shape(sizes));
        var at = new int[rank];
        for (int i = 0; i < to.Length; i++)
        {
            for (int d = rank - 1, rest = i; d >= 0; rest /= sizes[d], d--)
                at[order[d]] = rest % sizes[d];
            int source = 0;
            for (int d = 0; d < rank; d++)
                source = (source * from.Shape[d]) + at[d];
            to.Data[i] = from.Data[source];
        }
        return to;
    }
}
