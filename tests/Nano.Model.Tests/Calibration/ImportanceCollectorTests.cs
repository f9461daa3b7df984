namespace Nano.Tests;

/// <summary>Importance matrices collected from texts, against sums in double precision.</summary>
public class ImportanceCollectorTests
{
    static readonly DecoderConfig Llama = new()
    {
        VocabSize = 23,
        ContextLength = 40,
        Layers = 2,
        Heads = 4,
        KvHeads = 2,
        Channels = 24,
        Intermediate = 41, // no multiple of a vector
        NormEpsilon = 1e-5f,
        TiedHead = false,
    };

    static ImportanceMatrix Collect(LanguageModel model, int[] ids, ImportanceOptions options, int threads = 1,
        IProgress<ImportanceProgress>? progress = null)
    {
        using var compute = new Compute(threads);
        var matrix = ImportanceCollector.Collect(model, compute, ids, "text", options, progress);
        Assert.Null(compute.WatchLinear);
        return matrix;
    }

    [Fact]
    public void Sums_of_squared_inputs_agree_with_double_precision()
    {
        using var model = Models.Random(Llama);
        int[] ids = Models.RandomIds(100, Llama.VocabSize);
        var reference = new LlamaReference(model, Llama);
        for (int start = 0; start < 90; start += 30) // the rest fills no chunk
            reference.Logits([1, .. ids[(start + 1)..(start + 30)]]);
        var matrix = Collect(model, ids, new ImportanceOptions { ChunkLength = 30, BeginId = 1 });
        Assert.Equal((3, 30, "text"), (matrix.Chunks, matrix.ChunkLength, Assert.Single(matrix.DataSets)));
        Assert.Equal(14, matrix.Tensors.Count);
        foreach (var (name, sums) in reference.SquaredInputs)
        {
            var facts = model.Parameters.All.Single(parameter => parameter.Name == name + ".weight").Parameter!;
            ColumnImportance columns = matrix.Tensors[GgufNames.Of(name + ".weight", facts)];
            Assert.Equal(90, Assert.Single(columns.Counts));
            Assert.Equal(sums.Length, columns.Columns);
            Assert.All(sums.Zip(columns.Sums), pair => Assert.Equal(1, pair.Second / pair.First, 1e-5));
        }
    }

    [Fact]
    public void Any_number_of_threads_gives_the_same_bits_and_the_loss_of_the_text()
    {
        using var model = Models.Random(Llama);
        int[] ids = Models.RandomIds(80, Llama.VocabSize);
        var options = new ImportanceOptions { ChunkLength = 40 };
        var last = new Last();
        var alone = Collect(model, ids, options, 1, last);
        foreach (int threads in (int[])[2, 3, 5])
        {
            var shared = Collect(model, ids, options, threads);
            foreach (var (name, columns) in alone.Tensors)
                Assert.Equal(Models.Bits(columns.Sums), Models.Bits(shared.Tensors[name].Sums));
        }
        double nats = 0;
        foreach (int start in (int[])[0, 40])
        {
            double[][] logits = new LlamaReference(model, Llama).Logits(ids[start..(start + 40)]);
            for (int i = 0; i < 39; i++)
                nats += Math.Log(logits[i].Sum(Math.Exp)) - logits[i][ids[start + i + 1]];
        }
        Assert.Equal((2, 2), (last.Value.Chunks, last.Value.TotalChunks));
        Assert.Equal(nats / 78, last.Value.Loss, 1e-5);
    }

    sealed class Last : IProgress<ImportanceProgress>
    {
        public ImportanceProgress Value { get; private set; }

        public void Report(ImportanceProgress value) => Value = value;
    }

    [Theory]
    [InlineData(false, "output.weight")]
    [InlineData(true, "token_embd.weight")]
    public void The_head_is_collected_if_asked_for_and_chunks_are_limited(bool tied, string head)
    {
        using var model = Models.Random(Llama with { TiedHead = tied });
        int[] ids = Models.RandomIds(80, Llama.VocabSize);
        var matrix = Collect(model, ids, new ImportanceOptions { ChunkLength = 20, Chunks = 2, IncludesHead = true });
        Assert.Equal((15, 2), (matrix.Tensors.Count, matrix.Chunks));
        Assert.Equal(40, Assert.Single(matrix.Tensors[head].Counts));
        // the final norm's weights scale inputs of mean square one
        float[] norm = model.Parameters.All.Single(parameter => parameter.Name == "model.norm.weight").Data.ToArray();
        Assert.Equal(24, matrix.Tensors[head].Means().Zip(norm, (mean, weight) => mean / weight / weight).Sum(), 1e-2);
    }

    [Fact]
    public void A_text_that_is_too_short_or_not_the_models_is_refused()
    {
        using var model = Models.Random(Llama);
        int[] ids = Models.RandomIds(30, Llama.VocabSize);
        Assert.Equal("the text is too short: it has 30 tokens, and a chunk takes 31", Message(ids, 31));
        Assert.Equal("the text has the id 23; the model's ids run from 0 to 22", Message([.. ids, 23], 5));
        Assert.StartsWith("a chunk must have from 2 to 40 tokens", Message(ids, 1), StringComparison.Ordinal);
        Assert.StartsWith("a chunk must have from 2 to 40 tokens", Message(ids, 41), StringComparison.Ordinal);
        Assert.StartsWith("the number of chunks must be 1 or more", Message(ids, 5, 0), StringComparison.Ordinal);

        string Message(int[] text, int length, int? chunks = null) => Assert.Throws<NanoException>(() =>
            Collect(model, text, new ImportanceOptions { ChunkLength = length, Chunks = chunks })).Message;
    }

    [Fact]
    public void Inputs_that_are_not_finite_are_refused_with_the_tensor()
    {
        using var model = Models.Random(Llama);
        model.Parameters.All.Single(parameter => parameter.Name == "model.layers.1.self_attn.v_proj.weight").Data[5]
            = float.NaN;
        Assert.StartsWith("the inputs of 'model.layers.1.self_attn.o_proj.weight' are not finite",
            Assert.Throws<NanoException>(() => Collect(model, Models.RandomIds(40, Llama.VocabSize),
                new ImportanceOptions { ChunkLength = 20 })).Message, StringComparison.Ordinal);
    }
}
