namespace Nano.Tests;

/// <summary>Forms of routing against plain loops in double precision.</summary>
public class MixtureTests
{
    private const int C = 6, I = 5, E = 4, N = 12;

    /// <summary>The layer with random weights and x [2, 6, C].</summary>
    private static (Mixture Layer, Parameters Parameters, Tensor X) New(MixtureConfig config, bool isGated)
    {
        var parameters = new Parameters();
        var layer = new Mixture(config, parameters, 0, "mlp", C, ActivationKind.Silu, isGated);
        var random = new Random(7);
        foreach (var parameter in parameters.All)
            Fill(parameter);
        var x = new Tensor(new Shape(2, N / 2, C));
        Fill(x);
        return (layer, parameters, x);

        void Fill(Tensor tensor)
        {
            for (int i = 0; i < tensor.Length; i++)
                tensor.Data[i] = (float)(2 * random.NextDouble()) - 1;
        }
    }

    private static double[] Times(Parameters parameters, string name, double[] x)
    {
        var w = parameters.All.Single(tensor => tensor.Name == name + ".weight");
        return [.. Enumerable.Range(0, w.Shape[0])
            .Select(row => Enumerable.Range(0, x.Length).Sum(i => w.Data[(row * x.Length) + i] * x[i]))];
    }

    private static double[] Expert(Parameters parameters, int e, double[] x, bool isGated)
    {
        static double Silu(double z) => z / (1 + Math.Exp(-z));
        string name = $"mlp.experts.{e}.";
        double[] up = Times(parameters, name + "up_proj", x);
        double[] inner = isGated ? [.. Times(parameters, name + "gate_proj", x).Zip(up, (g, u) => Silu(g) * u)]
            : [.. up.Select(Silu)];
        return Times(parameters, name + "down_proj", inner);
    }

    /// <summary>y, of experts whose weight for a token is not null.</summary>
    private static double[] Reference(Parameters parameters, Tensor x, bool isGated,
        Func<double[][], double?[][]> weightsOf)
    {
        double[][] tokens = [.. x.Data.ToArray().Select(value => (double)value).Chunk(C)];
        double[][] scores = [.. tokens.Select(token => Softmax(Times(parameters, "mlp.gate", token)))];
        double?[][] weights = weightsOf(scores);
        var y = new double[N * C];
        for (int token = 0; token < N; token++)
            for (int e = 0; e < E; e++)
                if (weights[token][e] is { } weight)
                    foreach (var (value, i) in Expert(parameters, e, tokens[token], isGated).Select((v, i) => (v, i)))
                        y[(token * C) + i] += weight * value;
        return y;

        static double[] Softmax(double[] z)
        {
            double sum = z.Sum(Math.Exp);
            return [.. z.Select(value => Math.Exp(value) / sum)];
        }
    }

    private static void AssertClose(double[] expected, Tensor actual)
    {
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual.Data[i], 1e-5);
    }

    /// <summary>Switch Transformers: one expert, its probability undivided, no token dropped.</summary>
    [Theory, InlineData(true), InlineData(false)]
    public void One_expert_is_weighed_by_its_own_probability(bool isGated)
    {
        using var compute = new Compute(2) { Tape = new Tape() };
        var (layer, parameters, x) = New(new(E, I, new RouterRule(1, Normalises: false)), isGated);
        var y = layer.Forward(compute, x, new Pass());
        AssertClose(Reference(parameters, x, isGated, scores => [.. scores.Select(p =>
            Enumerable.Range(0, E).Select(e => p[e] == p.Max() ? p[e] : (double?)null).ToArray())]), y);
        compute.Tape.Backward(compute, compute.Sum(y)); // the router learns from the task
        Assert.Contains(parameters.All.Single(tensor => tensor.Name == "mlp.gate.weight").Gradient.Data.ToArray(),
            value => value != 0);
    }

    /// <summary>Twelve tokens, four experts, two for each on average: every expert takes six.</summary>
    [Fact]
    public void Experts_choose_the_tokens_of_their_highest_scores()
    {
        using var compute = new Compute(2) { Tape = new Tape() };
        var (layer, parameters, x) = New(new(E, I, new RouterRule(2)) { ExpertsChoose = true }, isGated: true);
        List<Routing> routings = [];
        var y = layer.Forward(compute, x, new Pass { Routings = routings });
        AssertClose(Reference(parameters, x, isGated: true, scores =>
        {
            double[] least = [.. Enumerable.Range(0, E).Select(e => scores.Select(p => p[e]).OrderDescending()
                .ElementAt(5))];
            return [.. scores.Select(p =>
                Enumerable.Range(0, E).Select(e => p[e] >= least[e] ? p[e] : (double?)null).ToArray())];
        }), y);
        Assert.Equal([6, 6, 6, 6], Assert.Single(routings).Loads);
    }

    /// <summary>Mixtral 8x7B: 12.9 billion weights for each token, as its authors say, with the token table.</summary>
    [Fact]
    public void A_token_uses_the_experts_that_it_chooses()
    {
        var config = ConfigFile.Load(Path.Combine(Goldens.Path("."), "../../data/configs/mixtral-8x7b.json"));
        const long All = 46_702_792_704, Table = 32_000L * 4096, Experts = 32L * 8 * 3 * 4096 * 14_336;
        Assert.Equal(All - Table - (Experts * 6 / 8), config.MultiplyingWeights());
        Assert.Equal(12.9, (config.MultiplyingWeights() + Table) / 1e9, 0.05);
    }

    [Fact]
    public void A_model_whose_experts_choose_continues_no_text()
    {
        const string Json = """
            {
              "model_type": "mixtral", "vocab_size": 11, "max_position_embeddings": 12, "num_hidden_layers": 1,
              "num_attention_heads": 2, "num_key_value_heads": 2, "hidden_size": 16, "intermediate_size": 8,
              "num_local_experts": 4, "num_experts_per_tok": 2, "norm_topk_prob": false, "router_choice": "experts"
            }
            """;
        var config = ConfigFile.FromJson(Json, "config.json");
        Assert.Equal(config, ConfigFile.FromJson(config.ToJson(), "config.json")); // the switches come back
        using var compute = new Compute(1);
        using var model = LanguageModel.Create(config);
        using var generator = new Generator(model, compute);
        Assert.Contains("cannot continue a text", Assert.Throws<NanoException>(
            () => generator.Continue([1, 2], new SamplerOptions()).First()).Message, StringComparison.Ordinal);
        Assert.Contains("'router_choice' is 'both'", Assert.Throws<BadFileException>(
            () => ConfigFile.FromJson(Json.Replace("\"experts\"", "\"both\"", StringComparison.Ordinal), "config.json"))
            .Message, StringComparison.Ordinal);
    }
}
