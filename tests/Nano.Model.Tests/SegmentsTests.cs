namespace Nano.Tests;

/// <summary>
/// Models on packed documents: losses and gradients have the bits of the documents run one after
/// the other.
/// </summary>
public class SegmentsTests
{
    private const int B = 3, T = 40, V = 23;

    // 120 rows; documents run on over the ends of rows
    private static readonly int[] Lengths = [17, 1, 30, 9, 50, 8, 5];

    private static readonly Gpt2Config Gpt2 = new()
    {
        VocabSize = V,
        ContextLength = 50,
        Layers = 2,
        Heads = 2,
        Channels = 16
    };
    private static readonly DecoderConfig Llama = new()
    {
        VocabSize = V,
        ContextLength = 50,
        Layers = 2,
        Heads = 4,
        KvHeads = 2,
        Channels = 24,
        Intermediate = 40
    };

    private static readonly Dictionary<string, ModelConfig> Variants = new()
    {
        ["GPT-2"] = Gpt2,
        ["GPT-2, a head of its own"] = Gpt2 with { TiedHead = false },
        ["Llama"] = Llama with { TiedHead = false },
        ["Llama, tied, one key head, interleaved"] = Llama with
        {
            KvHeads = 1,
            TiedHead = true,
            Pairing = RopePairing.Interleaved
        },
        ["Mistral"] = Llama with { Window = 7, HeadDim = 10 },
        ["Qwen3"] = Llama with { QkNorm = true, QkvBias = true, HeadDim = 16 },
        ["OPT"] = Llama with { Positions = PositionKind.Learned, PositionOffset = 2, NormKind = NormKind.Layer },
        ["GPT-1"] = Llama with
        {
            Positions = PositionKind.Learned,
            Norms = NormPlacement.AfterSum,
            HasFinalNorm = false
        },
        ["SmolLM3"] = Llama with { UnrotatedEvery = 2 },
        ["dynamic"] = Llama with { RopeScaling = new RopeScaling.Dynamic(4, 20) },
    };

    public static TheoryData<string> Names => [.. Variants.Keys];

    private static readonly int[] Ids = Models.RandomIds(B * T, V),
        Targets = [.. Models.RandomIds(B * T, V, 2).Select((id, i) => i % 11 == 3 ? -100 : id)];

    /// <summary>The bits of the loss at each position, and of all gradients by name.</summary>
    private sealed record Result(int[] Nll, int[] Gradients);

    /// <summary>Runs pieces of the text in turn, as micro-batches are run.</summary>
    private static Result Run(ModelConfig config, Compute compute, IEnumerable<(Shape Shape, int Start)> pieces,
        Func<Compute, Segments?> segments, bool checkpoint)
    {
        using var model = Models.Random(config);
        using var lookups = new DeferredRows();
        compute.Tape = new Tape();
        compute.DeferredRows = lookups;
        model.Parameters.EnableGradients();
        var nlls = new List<int>();
        foreach (var (shape, start) in pieces)
        {
            compute.NextStep();
            int length = (int)shape.Length;
            var (loss, nll) = model.Loss(compute, Tensor.FromIds(shape, Ids.AsSpan(start, length)),
                Tensor.FromIds(shape, Targets.AsSpan(start, length)), 100,
                new() { Keep = checkpoint ? Keep.Nothing : Keep.All, Segments = segments(compute) });
            nlls.AddRange(Models.Bits(nll.Data));
            compute.Tape.Backward(compute, loss);
        }
        lookups.Run(compute);
        compute.DeferredRows = null;
        return new Result([.. nlls],
            [.. model.Parameters.All.SelectMany(parameter => Models.Bits(parameter.Gradient.Data))]);
    }

    private static Result Alone(ModelConfig config)
    {
        using var compute = new Compute(1);
        return Run(config, compute, Lengths.Select((length, i) => (new Shape(1, length), Lengths[..i].Sum())),
            _ => null, checkpoint: false);
    }

    [Theory, MemberData(nameof(Names))]
    public void Packed_documents_have_the_losses_and_gradients_of_each_alone(string name)
    {
        var expected = Alone(Variants[name]);
        Assert.Contains(expected.Gradients, bits => bits != 0);
        foreach (var width in SimdWidths.All)
            foreach (int threads in new[] { 1, 2, 3, 7 })
                foreach (var shape in new[] { new Shape(B, T), new Shape(1, B * T) })
                {
                    using var compute = new Compute(threads, width);
                    var packed = Run(Variants[name], compute, [(shape, 0)], c => new Segments(c, Lengths),
                        checkpoint: threads == 3);
                    Assert.True(expected.Nll.AsSpan().SequenceEqual(packed.Nll),
                        $"losses, {width}, {threads} threads, {shape}");
                    Assert.True(expected.Gradients.AsSpan().SequenceEqual(packed.Gradients),
                        $"gradients, {width}, {threads} threads, {shape}");
                }
    }

    [Theory, MemberData(nameof(Names))]
    public void Equal_segments_are_the_rows_of_a_batch(string name)
    {
        using var compute = new Compute(2);
        var plain = Run(Variants[name], compute, [(new Shape(B, T), 0)], _ => null, checkpoint: false);
        var packed = Run(Variants[name], compute, [(new Shape(B, T), 0)],
            c => new Segments(c, [.. Enumerable.Repeat(T, B)]), checkpoint: false);
        Assert.Equal(plain.Nll, packed.Nll);
        Assert.Equal(plain.Gradients, packed.Gradients);
    }

    [Theory, MemberData(nameof(Names))]
    public void A_document_sees_nothing_of_the_others(string name)
    {
        using var model = Models.Random(Variants[name]);
        using var compute = new Compute(1);
        float[] Logits(int[] ids) =>
            model.Forward(compute, Tensor.FromIds(new Shape(1, ids.Length), ids),
                new() { Segments = new Segments(compute, 10, 20, 10) }).Data.ToArray();
        int[] ids = Ids[..40], other = [.. ids[..10].Select(id => (id + 1) % V), .. ids[10..30],
            .. ids[30..].Select(id => (id + 5) % V)];
        float[] before = Logits(ids), after = Logits(other);
        Assert.Equal(Models.Bits(before.AsSpan(10 * V, 20 * V)), Models.Bits(after.AsSpan(10 * V, 20 * V)));
        Assert.NotEqual(before[..(10 * V)], after[..(10 * V)]);
        Assert.Equal(Models.Bits(Models.Logits(model, compute, ids.AsSpan(10, 20))),
            Models.Bits(before.AsSpan(10 * V, 20 * V)));
    }

    [Fact]
    public void Segments_that_do_not_fit_the_model_are_refused()
    {
        using var model = Models.Random(Gpt2);
        using var compute = new Compute(1);
        var ids = Tensor.FromIds(new Shape(1, 120), Ids);
        Assert.Contains("51 tokens",
            Assert.Throws<NanoException>(() => model.Forward(compute, ids,
                new() { Segments = new Segments(compute, 51, 40, 29) })).Message, StringComparison.Ordinal);
        Assert.Contains("119 rows",
            Assert.Throws<ArgumentException>(() =>
                model.Forward(compute, ids, new() { Segments = new Segments(compute, 50, 50, 19) })).Message,
                StringComparison.Ordinal);
        using var cache = new KvCache(2, 50, 16);
        Assert.Contains("cache",
            Assert.Throws<ArgumentException>(() =>
                model.Forward(compute, ids, new()
                {
                    Cache = cache,
                    Segments = new Segments(compute, 50, 50, 20)
                })).Message, StringComparison.Ordinal);
    }
}
