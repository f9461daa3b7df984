namespace Nano;

/// <summary>The state of a recurrent layer behind a step: h [B, H], and an LSTM's memory c [B, H].</summary>
public readonly record struct RecurrentState(Tensor H, Tensor? C)
{
    /// <summary>The state in memory of an arena, which outlives the step.</summary>
    internal RecurrentState CopyTo(Arena arena) => new(H.CopyTo(arena), C?.CopyTo(arena));

    /// <summary>Takes over the values of a state of the same shape.</summary>
    internal void CopyFrom(in RecurrentState state)
    {
        H.CopyFrom(state.H);
        C?.CopyFrom(state.C!);
    }
}

/// <summary>
/// Layers of a recurrent net, forwards in time or in both directions. Of two directions the outputs lie side by side,
/// [B, T, 2 H], and the next layer reads both. Parameters have PyTorch's names: weight_ih_l0 [gates H, in],
/// weight_hh_l0 [gates H, H], bias_ih_l0 and bias_hh_l0 [gates H]; those of the reverse direction end in _reverse.
/// </summary>
public sealed class RecurrentLayers
{
    private readonly CellKind cell;
    private readonly int directions;
    private readonly RecurrentWeights[] weights; // of each layer and direction

    private RecurrentLayers(CellKind cell, int directions, RecurrentWeights[] weights) =>
        (this.cell, this.directions, this.weights) = (cell, directions, weights);

    /// <summary>Declares layers; their names begin with NAME and a point.</summary>
    /// <param name="parameters">The parameters of the model.</param>
    /// <param name="name">What their names begin with.</param>
    /// <param name="cell">The cell.</param>
    /// <param name="inputs">Width of the input.</param>
    /// <param name="width">H: width of the state.</param>
    /// <param name="layers">Number of layers.</param>
    /// <param name="bothDirections">True for a second net that goes from the last token to the first.</param>
    /// <param name="firstBlock">Number of the first layer among the blocks of the model.</param>
    public static RecurrentLayers Declare(Parameters parameters, string name, CellKind cell, int inputs, int width,
        int layers = 1, bool bothDirections = false, int firstBlock = 0)
    {
        int gates = cell switch { CellKind.Lstm => 4, CellKind.Gru => 3, _ => 1 }, directions = bothDirections ? 2 : 1;
        var weights = new RecurrentWeights[layers * directions];
        for (int i = 0; i < weights.Length; i++)
        {
            int layer = i / directions;
            weights[i] = DeclareNet(parameters, name, $"_l{layer}{(i % directions == 1 ? "_reverse" : "")}", gates,
                layer == 0 ? inputs : directions * width, width, firstBlock + layer);
        }
        return new(cell, directions, weights);
    }

    /// <summary>Declares the weights of one layer in one direction, whose names end in END.</summary>
    internal static RecurrentWeights DeclareNet(Parameters parameters, string name, string end, int gates, int inputs,
        int width, int block)
    {
        ParameterFacts matrix = new(ParameterRole.Inner, ModelComponent.Mlp, block) { Parts = gates },
            bias = matrix with { Role = ParameterRole.Bias };
        return new(parameters.Add($"{name}.weight_ih{end}", matrix, gates * width, inputs),
            parameters.Add($"{name}.weight_hh{end}", matrix, gates * width, width),
            parameters.Add($"{name}.bias_ih{end}", bias, gates * width),
            parameters.Add($"{name}.bias_hh{end}", bias, gates * width));
    }

    /// <summary>
    /// x [B, T, in] to [B, T, H], or [B, T, 2 H] of both directions, and the states behind the last step.
    /// </summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="x">The inputs.</param>
    /// <param name="lengths">The lengths of rows, or null; beyond its length a row puts out 0 and keeps its
    /// state.</param>
    /// <param name="before">The states to begin with, layer by layer and forwards first; null for zeros.</param>
    public (Tensor Y, RecurrentState[] States) Forward(Compute c, Tensor x, Tensor? lengths = null,
        IReadOnlyList<RecurrentState>? before = null)
    {
        var states = new RecurrentState[weights.Length];
        for (int first = 0; first < weights.Length; first += directions)
        {
            var y = Run(first, reverse: false);
            x = directions == 1 ? y : c.Concat(-1, y, Run(first + 1, reverse: true));
        }
        return (x, states);

        Tensor Run(int i, bool reverse)
        {
            Tensor? h = before?[i].H;
            (Tensor y, Tensor last, Tensor? memory) = cell switch
            {
                CellKind.Lstm => c.Lstm(x, weights[i], h, before?[i].C, lengths, reverse),
                CellKind.Gru => WithoutMemory(c.Gru(x, weights[i], h, lengths, reverse)),
                _ => WithoutMemory(c.Rnn(x, weights[i], h, lengths, reverse)),
            };
            states[i] = new(last, memory);
            return y;
        }
    }

    private static (Tensor Y, Tensor H, Tensor? C) WithoutMemory((Tensor Y, Tensor H) result) =>
        (result.Y, result.H, null);

    /// <summary>The states of B texts that have not begun, zeros in memory of an arena.</summary>
    internal RecurrentState[] Start(Arena arena, int B) => Array.ConvertAll(weights, layer =>
    {
        var shape = new Shape(B, layer.Hidden.Shape[1]);
        return new RecurrentState(new Tensor(arena, shape), cell == CellKind.Lstm ? new Tensor(arena, shape) : null);
    });

    /// <summary>Random values for a parameter of a model of width H: tables N(0, 1), all else uniform within
    /// 1 / sqrt(H).</summary>
    internal static void Initialize(Tensor parameter, ulong key, ulong stream, int width)
    {
        if (parameter.Parameter!.Role == ParameterRole.Embedding)
            Philox.Normal(key, stream, 1, parameter.Data);
        else
            Philox.Uniform(key, stream, 1 / Math.Sqrt(width), parameter.Data);
    }

    /// <summary>
    /// Sets the bias of forget gates to 1, so that they begin open, if a parameter is the bias of an LSTM here
    /// (Jozefowicz et al., "An Empirical Exploration of Recurrent Network Architectures", 2015).
    /// </summary>
    internal void OpenForgetGates(Tensor parameter)
    {
        if (cell == CellKind.Lstm && weights.Any(layer => layer.InputBias == parameter))
            parameter.Data.Slice(parameter.Shape[0] / 4, parameter.Shape[0] / 4).Fill(1);
    }
}
