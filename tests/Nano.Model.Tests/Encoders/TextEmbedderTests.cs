namespace Nano.Tests;

public class TextEmbedderTests
{
    private const string Words = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\ncat\nsleeps\nstocks\nfell\n##s\n,\n";

    /// <summary>A small encoder with random weights in a folder.</summary>
    private static TempFolder NewFolder(string family = "bert", bool withWords = true)
    {
        var folder = new TempFolder();
        using var model = new Bert(new BertConfig
        {
            Family = family,
            VocabSize = 12,
            ContextLength = 16,
            Layers = 2,
            Heads = 2,
            Channels = 16,
            Intermediate = 24,
            TokenTypes = family == "distilbert" ? 0 : 2,
            PadToken = family == "roberta" ? 1 : 0,
            Head = BertHead.None,
        });
        model.Initialize(7);
        AnyModel.Save(folder.Root, model);
        if (withWords)
            File.WriteAllText(folder.File("vocab.txt"), Words);
        return folder;
    }

    private static void AddLayout(TempFolder folder, string mode, bool normalize, int? longest = null)
    {
        string last = normalize ? """,{"idx":2,"path":"2_Normalize","type":"sentence_transformers.models.Normalize"}""" : "";
        File.WriteAllText(folder.File("modules.json"),
            $$"""
            [{"idx":0,"path":"","type":"sentence_transformers.models.Transformer"},
             {"idx":1,"path":"1_Pooling","type":"sentence_transformers.models.Pooling"}{{last}}]
            """);
        Directory.CreateDirectory(folder.File("1_Pooling"));
        File.WriteAllText(Path.Combine(folder.File("1_Pooling"), "config.json"),
            $$"""{"word_embedding_dimension":16,"pooling_mode_{{mode}}":true,"pooling_mode_max_tokens":false}""");
        if (longest is not null)
            File.WriteAllText(folder.File("sentence_bert_config.json"), $$"""{"max_seq_length":{{longest}}}""");
    }

    /// <summary>Mean and normalised mean of PyTorch in double precision (tests/goldens/zoo/bert).</summary>
    [Fact]
    public void Pooled_rows_are_those_of_the_golden_values()
    {
        string folder = Goldens.Path("zoo/bert");
        using var golden = SafetensorsReader.Open(Path.Combine(folder, "golden.safetensors"));
        using var model = (Bert)AnyModel.Load(folder);
        using var compute = new Compute(2);
        Dictionary<string, Tensor> batch = [];
        foreach (string name in (string[])["input_ids", "attention_mask", "token_type_ids"])
        {
            var entry = golden.Entries[name];
            long[] ids = new long[entry.Count];
            golden.ReadInt64(name, ids);
            batch[name] = Tensor.FromIds(new Shape((int)entry.Shape[0], (int)entry.Shape[1]),
                Array.ConvertAll(ids, id => (int)id));
        }
        var rows = model.Encode(compute, new Batch(batch));
        int B = rows.Shape[0], C = rows.Shape[2];
        float[] expected = new float[B * C];
        golden.ReadFloat32("mean_pooled", expected);
        for (int b = 0; b < B; b++)
        {
            int length = batch["attention_mask"].Ids.Slice(b * rows.Shape[1], rows.Shape[1]).Count(1);
            float[] mean = TextEmbedder.Pool(rows, b, length, Pooling.Mean);
            for (int i = 0; i < C; i++)
                Assert.Equal(expected[(b * C) + i], mean[i], 1e-5f);
            Assert.Equal(rows.Data.Slice(b * rows.Shape[1] * C, C).ToArray(), TextEmbedder.Pool(rows, b, length, Pooling.First));
            Assert.Equal(rows.Data.Slice(((b * rows.Shape[1]) + length - 1) * C, C).ToArray(),
                TextEmbedder.Pool(rows, b, length, Pooling.Last));
        }
    }

    [Theory]
    [InlineData("bert")]
    [InlineData("roberta")]
    [InlineData("distilbert")]
    [InlineData("electra")]
    [InlineData("albert")]
    public void A_text_has_the_bits_that_it_has_alone_on_any_number_of_threads(string family)
    {
        string[] texts = ["a cat sleeps", "stocks", "a cat, a cat, a cats fell", "", "fell a"];
        using var folder = NewFolder(family);
        using var embedder = TextEmbedder.Open(folder.Root);
        using Compute one = new(1), three = new(3);
        var together = embedder.Embed(three, texts);
        for (int i = 0; i < texts.Length; i++)
        {
            Assert.Equal(together[i].Vector, embedder.Embed(one, [texts[i]])[0].Vector);
            Assert.Equal(1, together[i].Vector.Sum(x => (double)x * x), 1e-6);
        }
        Assert.Equal([5, 3, 12, 2, 4], together.Select(text => text.Tokens));
    }

    [Fact]
    public void The_folder_decides_pooling_normalisation_and_length()
    {
        using var folder = NewFolder();
        AddLayout(folder, "cls_token", normalize: false, longest: 4);
        using var compute = new Compute(2);
        using var embedder = TextEmbedder.Open(folder.Root);
        Assert.Equal(Pooling.First, embedder.Pooling);
        var text = embedder.Embed(compute, ["a cat sleeps"])[0];
        Assert.True(text.IsCut);
        Assert.Equal(4, text.Tokens);
        Assert.NotEqual(1, text.Vector.Sum(x => (double)x * x), 1e-3);
        Assert.Equal(text.Vector, embedder.Embed(compute, [[2, 5, 6, 3]])[0]); // [SEP] stays the last
        AddLayout(folder, "lasttoken", normalize: true);
        using var other = TextEmbedder.Open(folder.Root);
        Assert.Equal(Pooling.Last, other.Pooling);
    }

    [Theory]
    [InlineData("max_tokens", "'max_tokens'")]
    [InlineData("mean_sqrt_len_tokens", "'mean_sqrt_len_tokens'")]
    public void A_pooling_that_is_not_known_is_named(string mode, string expected)
    {
        using var folder = NewFolder();
        AddLayout(folder, mode, normalize: true);
        string path = Path.Combine(folder.File("1_Pooling"), "config.json");
        File.WriteAllText(path, File.ReadAllText(path).Replace(",\"pooling_mode_max_tokens\":false", "",
            StringComparison.Ordinal));
        Assert.Contains(expected, Assert.Throws<BadFileException>(() => TextEmbedder.Open(folder.Root)).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"a":1}""", "not a list of modules")]
    [InlineData("""[{"path":""}]""", "has no type")]
    [InlineData("""[{"type":"\ud800"}]""", "not valid Unicode")]
    [InlineData("""[{"type":"sentence_transformers.models.Dense","path":"2_Dense"}]""", "Dense")]
    [InlineData("""[{"type":"sentence_transformers.models.Pooling","path":"../other"}]""", "no folder beside it")]
    public void A_list_of_modules_that_is_not_right_is_an_error_with_its_place(string modules, string expected)
    {
        using var folder = NewFolder();
        File.WriteAllText(folder.File("modules.json"), modules);
        var error = Assert.Throws<BadFileException>(() => TextEmbedder.Open(folder.Root));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains("modules.json", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Models_without_a_tokenizer_or_of_another_kind_are_refused()
    {
        using var folder = NewFolder(withWords: false);
        Assert.Contains("no tokenizer", Assert.Throws<NanoException>(() => TextEmbedder.Open(folder.Root)).Message,
            StringComparison.Ordinal);
        Assert.Contains("t5", Assert.Throws<NanoException>(() =>
            TextEmbedder.Open(Goldens.Path("zoo/t5_v1_1"))).Message, StringComparison.Ordinal);
        File.WriteAllText(folder.File("vocab.txt"), Words);
        string config = File.ReadAllText(folder.File("config.json"));
        File.WriteAllText(folder.File("config.json"),
            config.Replace("\"max_position_embeddings\": 16", "\"max_position_embeddings\": 2", StringComparison.Ordinal));
        Assert.Contains("reads 2 tokens", Assert.Throws<NanoException>(() => TextEmbedder.Open(folder.Root)).Message,
            StringComparison.Ordinal);
        File.WriteAllText(folder.File("config.json"), config);
        File.WriteAllText(folder.File("vocab.txt"), Words + "one\nmore\n");
        Assert.Contains("14 tokens and the model 12", Assert.Throws<NanoException>(() =>
            TextEmbedder.Open(folder.Root)).Message, StringComparison.Ordinal);
    }

    /// <summary>A decoder's vector is its row of the last token, which no text beside it changes.</summary>
    [Fact]
    public void A_decoder_gives_the_row_of_the_last_token()
    {
        using var folder = new TempFolder();
        var tokenizer = CharTokenizer.FromText("abc ");
        using var model = LanguageModel.Create(Models.Small with { VocabSize = tokenizer.VocabSize });
        model.Initialize(3);
        ModelDirectory.Save(folder.Root, model, tokenizer);
        using var compute = new Compute(2);
        using var embedder = TextEmbedder.Open(folder.Root);
        Assert.Equal(Pooling.Last, embedder.Pooling);
        var both = embedder.Embed(compute, ["ab", "abcab c"]);
        var rows = model.Trunk(compute, Tensor.FromIds(new Shape(1, 2), [1, 2]), new());
        double size = Math.Sqrt(rows.Data[^model.Config.Channels..].ToArray().Sum(x => (double)x * x));
        for (int i = 0; i < model.Config.Channels; i++)
            Assert.Equal(rows.Data[model.Config.Channels + i] / size, both[0].Vector[i], 1e-6);
        Assert.Throws<NanoException>(() => TextEmbedder.Open(folder.Root, Pooling.First));
    }
}
