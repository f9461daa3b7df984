namespace Nano.Tests;

/// <summary>
/// Models with frozen parameters: the loss and the gradients that are left have the bits of the
/// whole model.
/// </summary>
public class FrozenModelTests
{
    const int B = 2, T = 12;

    static readonly ModelConfig Gpt2 = Models.Small with { Layers = 3, Dropout = 0.1f };

    static readonly ModelConfig Llama = new DecoderConfig
    {
        VocabSize = 11,
        ContextLength = 12,
        Layers = 3,
        Heads = 2,
        Channels = 8,
        Intermediate = 12,
        QkvBias = true,
        TiedHead = false,
    };

    public static TheoryData<string, string, Keep> Cases()
    {
        var cases = new TheoryData<string, string, Keep>();
        foreach (var keep in Enum.GetValues<Keep>())
        {
            foreach (string name in (string[])["wte.weight", "wpe.weight", "h.0.attn.c_attn.bias",
                "h.1.mlp.c_fc.weight", "ln_f.bias"])
                cases.Add("gpt2", name, keep);
            foreach (string block in (string[])["0.self_attn.q_proj", "0.self_attn.k_proj", "1.self_attn.v_proj",
                "2.mlp.up_proj", "2.mlp.gate_proj"])
                cases.Add("llama", $"model.layers.{block}.weight", keep);
            cases.Add("llama", "lm_head.weight", keep);
            cases.Add("llama", "model.norm.weight", keep);
        }
        return cases;
    }

    sealed record Result(int[] Losses, Dictionary<string, int[]> Gradients, long Peak);

    [Theory, MemberData(nameof(Cases))]
    public void One_parameter_alone_has_the_gradient_that_it_has_among_all(string model, string only, Keep keep)
    {
        var config = model == "gpt2" ? Gpt2 : Llama;
        var (all, one) = (Run(config, keep, null), Run(config, keep, only));
        Assert.Equal(all.Losses, one.Losses);
        Assert.Equal([only], one.Gradients.Keys);
        Assert.Contains(one.Gradients[only], bits => bits != 0);
        Assert.Equal(all.Gradients[only], one.Gradients[only]);
        Assert.True(one.Peak <= all.Peak, $"{one.Peak} bytes for one, {all.Peak} for all");
    }

    static Result Run(ModelConfig config, Keep keep, string? only)
    {
        using var model = Models.Random(config);
        if (only is not null)
            model.Parameters.Freeze(parameter => parameter.Name != only);
        using var compute = new Compute(2) { Tape = new Tape() };
        using var lookups = new DeferredRows();
        compute.DeferredRows = lookups;
        model.Parameters.EnableGradients();
        var losses = new List<int>();
        for (int micro = 0; micro < 2; micro++)
        {
            compute.NextStep();
            Tensor ids = Tensor.FromIds(new Shape(B, T), Models.RandomIds(B * T, 11, micro));
            Tensor targets = Tensor.FromIds(new Shape(B, T), Models.RandomIds(B * T, 11, 5 + micro));
            var masks = config.Dropout == 0 ? null : new Dropout(config.Dropout, 1, (ulong)micro);
            var (loss, nll) = model.Loss(compute, ids, targets, 50, new() { Masks = masks, Keep = keep });
            losses.AddRange([.. Models.Bits(loss.Data), .. Models.Bits(nll.Data)]);
            compute.Tape.Backward(compute, loss);
        }
        lookups.Run(compute);
        return new Result([.. losses], model.Parameters.All.Where(parameter => parameter.HasGradient)
            .ToDictionary(parameter => parameter.Name!, parameter => Models.Bits(parameter.Gradient.Data)),
            compute.StepArena.PeakBytes);
    }

    [Fact]
    public void Frozen_blocks_before_the_first_trained_parameter_hold_nothing()
    {
        var deep = Models.Small with { Layers = 12, Channels = 32 };
        long whole = Run(deep, Keep.All, null).Peak, last = Run(deep, Keep.All, "h.11.mlp.c_proj.bias").Peak;
        Assert.True(last < whole / 4, $"{last} of {whole} bytes");
    }

    [Fact]
    public void A_step_on_a_frozen_model_holds_the_same_memory_after_every_step_but_the_first_two()
    {
        using var model = Models.Random(Gpt2);
        model.Parameters.Freeze(parameter => parameter.Name != "h.1.attn.c_attn.bias");
        using var compute = new Compute(2) { Tape = new Tape() };
        model.Parameters.EnableGradients();
        var reserved = new List<long>();
        for (int step = 0; step < 6; step++)
        {
            compute.NextStep();
            model.Parameters.ForgetGradients();
            Tensor ids = Tensor.FromIds(new Shape(B, T), Models.RandomIds(B * T, 11)),
                targets = Tensor.FromIds(new Shape(B, T), new int[B * T]);
            compute.Tape.Backward(compute, model.Loss(compute, ids, targets).Loss);
            reserved.Add(compute.StepArena.ReservedBytes);
        }
        Assert.Single(reserved.Skip(2).Distinct());
    }
}
