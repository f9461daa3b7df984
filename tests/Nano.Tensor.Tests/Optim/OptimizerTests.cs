using System.Runtime.InteropServices;

namespace Nano.Tests;

/// <summary>Every update rule against its paper, and what all of them promise.</summary>
public partial class OptimizerTests
{
    public static TheoryData<string> Names => [.. OptimizerKind.All.Select(kind => kind.Name)];

    static readonly (string Name, Shape Shape)[] Shapes =
    [
        ("wte.weight", new Shape(7, 4)), ("h.0.attn.c_attn.weight", new Shape(12, 4)),
        ("h.0.attn.c_proj.weight", new Shape(4, 4)), ("h.0.mlp.c_fc.weight", new Shape(9, 4)),
        ("h.0.mlp.c_proj.weight", new Shape(4, 19)), ("h.0.mlp.c_proj.bias", new Shape(4)),
        ("ln_f.weight", new Shape(33)),
    ];

    static Tensor[] NewParameters((string Name, Shape Shape)[]? shapes = null) =>
        [.. (shapes ?? Shapes).Select((parameter, i) =>
    {
        var tensor = new Tensor(parameter.Shape) { Name = parameter.Name, Parameter = RoleOf(parameter.Name) };
        Philox.Normal(9, (ulong)i, 0.3, tensor.Data);
        return tensor;
    })];

    static ParameterFacts? RoleOf(string name)
    {
        if (!name.Contains('.', StringComparison.Ordinal))
            return null;
        var component = name.Contains("mlp", StringComparison.Ordinal) ? ModelComponent.Mlp : ModelComponent.Attention;
        return name.Split('.')[^2] switch
        {
            "wte" or "embed_tokens" => new(ParameterRole.Embedding, ModelComponent.Embedding),
            "ln_f" => new(ParameterRole.Norm, ModelComponent.Norm),
            "lm_head" => new(ParameterRole.Head, ModelComponent.Head),
            "c_attn" => new(ParameterRole.Inner, component, 0) { Parts = 3 },
            "c_proj" when name.EndsWith("bias", StringComparison.Ordinal) => new(ParameterRole.Bias, component, 0),
            "c_proj" => new(ParameterRole.ResidualOut, component, 0),
            _ => new(ParameterRole.Inner, component, 0),
        };
    }

    /// <summary>The gradients of a step: of changing sizes, the same for everybody.</summary>
    static void GiveGradients(Tensor[] parameters, int step)
    {
        for (int i = 0; i < parameters.Length; i++)
        {
            var gradient = new Tensor(parameters[i].Shape);
            Philox.Normal(77, (ulong)((100 * step) + i), 0.1 * (1 + (step % 3)), gradient.Data);
            parameters[i].SetGradient(gradient);
        }
    }

    public static TheoryData<OptimizerOptions> Traced =>
        new((OptimizerOptions[])
        [
            new("sgd", WeightDecay: 0.3),
            new("sgd", WeightDecay: 0.3, Momentum: 0.8),
            new("sgd", WeightDecay: 0.3, Momentum: 0.8, Nesterov: true),
            new("adagrad", Epsilon: 1e-3, WeightDecay: 0.3),
            new("rmsprop", Beta2: 0.8, Epsilon: 1e-3, WeightDecay: 0.3),
            new("adam", Beta1: 0.8, Beta2: 0.9, Epsilon: 1e-3, WeightDecay: 0.3),
            new("adamw", Beta1: 0.8, Beta2: 0.9, Epsilon: 1e-3, WeightDecay: 0.3),
            new("lion", Beta1: 0.8, Beta2: 0.9, WeightDecay: 0.3),
            new("lamb", Beta1: 0.8, Beta2: 0.9, Epsilon: 1e-3, WeightDecay: 0.3),
            new("adafactor", Epsilon: 1e-30, WeightDecay: 0.3),
            new("adafactor", Epsilon: 1e-3, WeightDecay: 0),
            new("muon", Beta1: 0.8, Beta2: 0.9, Epsilon: 1e-3, WeightDecay: 0.3, Momentum: 0.9),
            new("muon", Beta1: 0.8, Beta2: 0.9, Epsilon: 1e-3, WeightDecay: 0.3, Momentum: 0.9, Nesterov: true),
            new("adamw8bit", Beta1: 0.8, Beta2: 0.9, Epsilon: 1e-3, WeightDecay: 0.3), // small tensors: floats
        ]);

    /// <summary>Sophia, whose step has two parts, has a test of its own: an estimate and then steps.</summary>
    [Fact]
    public void Every_rule_is_held_against_its_published_form() => Assert.Equal(
        OptimizerKind.All.Select(kind => kind.Defaults.Name).Order(),
        Traced.Select(row => row.Data.Name).Append("sophia").Distinct().Order());

    [Theory]
    [MemberData(nameof(Traced))]
    public void The_published_rule_in_double_is_followed(OptimizerOptions options)
    {
        const double rate = 0.02, scale = 0.5;
        Tensor[] parameters = NewParameters();
        double[][] expected =
            [.. parameters.Select(parameter => parameter.Data.ToArray().Select(value => (double)value).ToArray())];
        OptimizerRules.Rule[] rules =
            [.. parameters.Select(parameter => OptimizerRules.New(options, rate, parameter.Name!, parameter.Shape))];
        using var compute = new Compute(2);
        using var optimizer = OptimizerKind.Create(parameters, options);
        for (int step = 1; step <= 12; step++)
        {
            GiveGradients(parameters, step);
            optimizer.Step(compute, rate, scale);
            for (int i = 0; i < parameters.Length; i++)
            {
                rules[i](step, expected[i], [.. parameters[i].Gradient.Data.ToArray().Select(value => scale * value)],
                    parameters[i].Shape.Rank >= 2 ? options.WeightDecay : 0);
                for (int e = 0; e < expected[i].Length; e++)
                    Assert.True(Math.Abs(expected[i][e] - parameters[i].Data[e]) < 2e-6,
                        $"step {step}, {parameters[i].Name}[{e}]: {parameters[i].Data[e]}, by the paper "
                        + $"{expected[i][e]}");
            }
        }
        Assert.Equal(12, optimizer.StepCount);
    }

    static int[] Bits(Tensor tensor) => tensor.Type == DType.Int32 ? tensor.Ids.ToArray()
        : MemoryMarshal.Cast<float, int>(tensor.Data).ToArray();

    /// <summary>
    /// All bits after some steps over tensors that are larger than a chunk of the work and fit no
    /// vector evenly.
    /// </summary>
    static int[] BitsAfterSteps(string name, int threads, SimdWidth? width)
    {
        Tensor[] parameters =
            NewParameters([("wte.weight", new Shape(131, 77)), ("h.0.mlp.c_fc.weight", new Shape(150, 67)),
                ("h.0.attn.c_attn.weight", new Shape(69, 147)), ("ln_f.weight", new Shape(8209))]);
        using var compute = new Compute(threads, width);
        using var optimizer = OptimizerKind.Create(parameters, OptimizerKind.Get(name).Defaults);
        for (int step = 1; step <= 3; step++)
        {
            compute.NextStep();
            GiveGradients(parameters, step);
            optimizer.Step(compute, 0.01, 0.7);
        }
        return [.. parameters.Concat(optimizer.State.Select(slot => slot.Tensor)).SelectMany(Bits)];
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_width_and_team_size_gives_the_same_bits(string name)
    {
        int[] expected = BitsAfterSteps(name, 1, SimdWidth.W256);
        foreach (var width in SimdWidths.All)
            foreach (int threads in new[] { 1, 2, 3, 7 })
                Assert.True(expected.AsSpan().SequenceEqual(BitsAfterSteps(name, threads, width)),
                    $"{name}, {width}, {threads} threads");
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_parameter_that_no_gradient_reached_stays_with_its_state(string name)
    {
        (string, Shape)[] shapes = [("h.0.mlp.c_fc.weight", new Shape(3, 5)), ("h.1.mlp.c_fc.weight", new Shape(3, 5)),
            ("wte.weight", new Shape(3, 5)), ("ln_f.weight", new Shape(5))];
        Tensor[] parameters = NewParameters(shapes);
        float[][] before = [.. parameters.Select(parameter => parameter.Data.ToArray())];
        using var compute = new Compute(1);
        using var optimizer = OptimizerKind.Create(parameters, OptimizerKind.Get(name).Defaults);
        GiveGradients(parameters[..1], 1);
        optimizer.Step(compute, 0.1, 1);
        Assert.NotEqual(before[0], parameters[0].Data.ToArray());
        for (int i = 1; i < parameters.Length; i++)
            Assert.Equal(before[i], parameters[i].Data.ToArray());
        Assert.All(optimizer.State.Where(slot => !slot.Name.StartsWith("h.0.", StringComparison.Ordinal)),
            slot => Assert.All(Bits(slot.Tensor), bits => Assert.Equal(0, bits)));
    }

    [Theory]
    [InlineData("sgd", 4)]
    [InlineData("adagrad", 4)]
    [InlineData("rmsprop", 4)]
    [InlineData("adam", 8)]
    [InlineData("adamw", 8)]
    [InlineData("lion", 4)]
    [InlineData("lamb", 8)]
    [InlineData("sophia", 8)]
    public void State_bytes_per_parameter(string name, int expected)
    {
        Tensor[] parameters = NewParameters();
        using var optimizer = OptimizerKind.Create(parameters, OptimizerKind.Get(name).Defaults);
        Assert.Equal(expected * parameters.Sum(parameter => parameter.Length),
            optimizer.State.Sum(slot => slot.Tensor.Length * sizeof(float)));
    }

    [Fact]
    public void Without_momentum_descent_keeps_nothing()
    {
        using var optimizer = OptimizerKind.Create(NewParameters(), new OptimizerOptions("sgd"));
        Assert.Empty(optimizer.State);
        Assert.Equal(0, optimizer.ReservedBytes);
    }

    public static TheoryData<OptimizerOptions, string> Impossible => new()
    {
        { new(Beta1: 1), "`beta1`" },
        { new(Beta2: double.NaN), "`beta2`" },
        { new(Beta2: -0.1), "`beta2`" },
        { new(Epsilon: 0), "`epsilon`" },
        { new(WeightDecay: -1), "`weight_decay`" },
        { new(WeightDecay: double.PositiveInfinity), "`weight_decay`" },
        { new("sgd", Momentum: 1), "`momentum`" },
        { new("sgd", Nesterov: true), "`nesterov`" },
        { new("sophia"), "`rho`" },
    };

    [Theory]
    [MemberData(nameof(Impossible))]
    public void Impossible_constants_are_refused_by_name(OptimizerOptions options, string expected) =>
        Assert.Contains(expected, Assert.Throws<NanoException>(options.Validate).Message, StringComparison.Ordinal);
}
