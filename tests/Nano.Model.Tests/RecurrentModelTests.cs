namespace Nano.Tests;

/// <summary>Recurrent models; their values are those of goldens/zoo, see ZooTests.</summary>
public class RecurrentModelTests
{
    private static readonly RnnConfig Writer = new() { VocabSize = 13, EmbeddingSize = 5, HiddenSize = 9, Layers = 2 };

    private static readonly RnnConfig Tagger = Writer with { Cell = CellKind.Gru, IsBidirectional = true, Labels = 4 };

    private static readonly Seq2SeqConfig Translator = new()
    {
        Attention = Seq2SeqAttention.Luong,
        VocabSize = 11,
        TargetVocabSize = 12,
        EmbeddingSize = 5,
        HiddenSize = 6,
    };

    private static readonly ArchitectureConfig[] Configs =
    [
        Writer, Writer with { Cell = CellKind.Tanh, Layers = 1 }, Tagger, Translator,
        Translator with { Attention = Seq2SeqAttention.Bahdanau, AttentionSize = 7 },
    ];

    public static TheoryData<int> AllConfigs => [.. Enumerable.Range(0, Configs.Length)];

    private static Tensor Ids(int rows, params ReadOnlySpan<int> ids) =>
        Tensor.FromIds(new Shape(rows, ids.Length / rows), ids);

    [Theory, InlineData(CellKind.Tanh), InlineData(CellKind.Lstm), InlineData(CellKind.Gru)]
    public void Steps_from_a_state_have_the_bits_of_the_whole_text(CellKind cell)
    {
        using var model = new Rnn(Writer with { Cell = cell });
        model.Initialize(3);
        using var compute = new Compute(2);
        int[] ids = Models.RandomIds(2 * 10, Writer.VocabSize);
        var whole = model.Forward(compute, Ids(2, ids));
        RecurrentState[]? states = null;
        for (int t = 0, next; t < 10; t = next)
        {
            next = t == 0 ? 4 : t + 1; // a prompt, then tokens
            int first = t, count = next - t;
            var (logits, behind) = model.Forward(compute,
                Ids(2, [.. ids.AsSpan(first, count), .. ids.AsSpan(10 + first, count)]), null, states);
            states = behind;
            for (int row = 0; row < 2; row++)
                Assert.Equal(whole.Logits.Data.Slice(((row * 10) + first) * 13, count * 13),
                    logits.Data.Slice(row * count * 13, count * 13));
        }
        for (int i = 0; i < 2; i++)
        {
            Assert.Equal(whole.States[i].H.Data, states![i].H.Data);
            Assert.Equal(cell == CellKind.Lstm, states[i].C is not null);
            if (cell == CellKind.Lstm)
                Assert.Equal(whole.States[i].C!.Data, states[i].C!.Data);
        }
    }

    [Fact]
    public void A_continuation_from_the_state_is_that_of_whole_texts()
    {
        using var model = new Rnn(Writer);
        model.Initialize(5);
        using var compute = new Compute(1);
        List<int> text = [3, 1, 4];
        while (text.Count < 20)
        {
            compute.NextStep();
            text.Add(Sampler.ArgMax(model.Forward(compute, Ids(1, [.. text])).Logits.Data[^13..]));
        }
        Assert.Equal(text[3..], model.Continue(compute, [3, 1, 4], 17));
    }

    [Fact]
    public void A_tagger_writes_nothing()
    {
        using var model = new Rnn(Tagger);
        using var compute = new Compute(1);
        Assert.False(model.Writes);
        Assert.Contains("does not write", Assert.Throws<NanoException>(() => model.Continue(compute, [1], 1)).Message);
    }

    [Fact]
    public void A_padded_row_of_a_tagger_has_the_bits_of_its_run_alone()
    {
        using var model = new Rnn(Tagger);
        model.Initialize(7);
        using var compute = new Compute(2);
        int[] ids = Models.RandomIds(2 * 8, Tagger.VocabSize);
        var lengths = Tensor.FromIds(new Shape(2), [8, 5]);
        var both = model.Forward(compute, Ids(2, ids), lengths).Logits;
        Assert.Equal(model.Forward(compute, Ids(1, ids.AsSpan(8, 5))).Logits.Data, both.Data.Slice(8 * 4, 5 * 4));
    }

    [Theory, InlineData(3), InlineData(4)]
    public void A_padded_text_is_translated_with_the_bits_of_its_run_alone(int config)
    {
        using var model = Configs[config].NewModel(new Parameters());
        model.Initialize(9);
        using var compute = new Compute(2);
        int[] text = Models.RandomIds(2 * 8, 11), written = Models.RandomIds(2 * 4, 12, seed: 2);
        float[] both = Logits(2, text, written, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]);
        Assert.Equal(Logits(1, text[8..13], written[4..], [1, 1, 1, 1, 1]), both[(4 * 12)..]);

        float[] Logits(int rows, int[] ids, int[] next, int[] mask)
        {
            float[] logits = [];
            model.Loss(compute, new(new Dictionary<string, Tensor>
            {
                ["input_ids"] = Ids(rows, ids),
                ["attention_mask"] = Ids(rows, mask),
                ["decoder_input_ids"] = Ids(rows, next),
                ["targets"] = Ids(rows, next),
            }), (name, tensor) => logits = name == "logits" ? tensor.Data.ToArray() : logits);
            return logits;
        }
    }

    [Fact]
    public void Forget_gates_begin_open_and_all_else_within_the_inverse_root_of_the_width()
    {
        using var model = new Rnn(Writer);
        model.Initialize(1);
        var byName = model.Parameters.All.ToDictionary(parameter => parameter.Name!);
        foreach (string name in (string[])["rnn.bias_ih_l0", "rnn.bias_ih_l1"])
        {
            Assert.All(byName[name].Data[9..18].ToArray(), value => Assert.Equal(1, value));
            Assert.All(byName[name].Data[18..].ToArray(), value => Assert.InRange(value, -1f / 3, 1f / 3));
        }
        foreach (string name in (string[])["rnn.weight_ih_l0", "rnn.weight_hh_l1", "rnn.bias_hh_l0", "head.weight"])
        {
            float[] values = byName[name].Data.ToArray();
            Assert.All(values, value => Assert.InRange(value, -1f / 3, 1f / 3));
            Assert.InRange(values.Max(), 0.3f, 1f / 3);
        }
    }

    [Theory, MemberData(nameof(AllConfigs))]
    public void A_folder_is_read_as_it_was_written(int config)
    {
        using var folder = new TempFolder();
        using var model = Configs[config].NewModel(new Parameters());
        model.Initialize(11);
        AnyModel.Save(folder.Root, model);
        Assert.Equal(Configs[config], ConfigFile.LoadAny(folder.File("config.json")));
        using var read = AnyModel.Load(folder.Root);
        foreach (var (written, found) in model.Parameters.All.Zip(read.Parameters.All))
            Assert.Equal(written.Data, found.Data);
    }

    [Theory]
    [InlineData("""{"model_type":"lstm","vocab_size":13,"embedding_size":5,"hidden_size":0}""", "width of the state is 0")]
    [InlineData("""{"model_type":"gru","vocab_size":13,"embedding_size":5,"hidden_size":4,"num_hidden_layers":0}""",
        "number of layers is 0")]
    [InlineData("""{"model_type":"lstm","vocab_size":13,"embedding_size":5,"hidden_size":2000000}""", "2000000")]
    [InlineData("""{"model_type":"rnn","vocab_size":13,"hidden_size":4}""", "embedding_size")]
    [InlineData("""{"model_type":"gru","vocab_size":13,"embedding_size":5,"hidden_size":4,"labels":0}""",
        "number of labels is 0")]
    [InlineData("""{"model_type":"seq2seq","vocab_size":3,"target_vocab_size":3,"embedding_size":5,"hidden_size":4}""",
        "'attention' is missing")]
    [InlineData("""{"model_type":"seq2seq","attention":"dot","vocab_size":3}""", "supported: luong_general, bahdanau")]
    [InlineData("""
        {"model_type":"seq2seq","attention":"bahdanau","vocab_size":3,"target_vocab_size":3,"embedding_size":5,
         "hidden_size":4,"attention_size":-1}
        """, "width of the attention is -1")]
    public void A_config_that_cannot_be_is_refused(string json, string reason)
    {
        using var folder = new TempFolder();
        string path = folder.File("config.json");
        File.WriteAllText(path, json);
        Assert.Contains(reason, Assert.Throws<BadFileException>(() => ConfigFile.LoadAny(path)).Message);
    }
}
