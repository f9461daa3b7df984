namespace Nano.Tests.Formats;

/// <summary>Tokenizers that go along from format to format give the same ids.</summary>
public class TokenizerConversionTests
{
    const string Text = "To be, or not to be: that is the question 123 \u00e9\u4e2d\U0001F600\n";

    static void Make(string folder, int vocabSize, ITokenizer tokenizer, int? bos = null)
    {
        Directory.CreateDirectory(folder);
        using var model = LanguageModel.Create(new DecoderConfig
        {
            VocabSize = vocabSize,
            ContextLength = 8,
            Layers = 1,
            Heads = 1,
            Channels = 4,
            Intermediate = 4,
            BosToken = bos
        });
        ModelDirectory.Save(folder, model, tokenizer);
    }

    static Conversion Convert(string input, string output) => ModelConverter.Convert(input, output, new());

    [Theory]
    [InlineData("gpt2", "gpt-2")]
    [InlineData("gpt2-digits", "smollm")]
    [InlineData("o200k", "gpt-4o")]
    public void Byte_level_bpe_goes_into_gguf_and_back(string split, string pre)
    {
        using var folder = new TempFolder();
        ITokenizer tokenizer = BpeTrainer.Train([string.Concat(Enumerable.Repeat(Text, 3))], 280, split, threads: 1);
        Make(folder.File("a"), 300, tokenizer);
        File.WriteAllText(folder.File("a/chat_template.jinja"), "{{ messages }}");
        Assert.Empty(Convert(folder.File("a"), folder.File("b.gguf")).Notes);
        Assert.Empty(Convert(folder.File("b.gguf"), folder.File("c")).Notes);
        using (var file = GgufReader.Open(folder.File("b.gguf")))
        {
            Assert.Equal(("gpt2", pre, "{{ messages }}"),
                (file.Metadata.String("tokenizer.ggml.model"), file.Metadata.String("tokenizer.ggml.pre"), file.Metadata
                    .String("tokenizer.chat_template")));
            Assert.Equal(300, file.Metadata.Strings("tokenizer.ggml.tokens")!.Length);
            Assert.Equal([1L, 3L, 5L], file.Metadata.Integers("tokenizer.ggml.token_type")!.Distinct());
        }
        foreach (string path in (string[])["b.gguf", "c"])
        {
            var (model, read) = ModelLoader.Load(folder.File(path));
            model.Dispose();
            Assert.Equal(tokenizer.Encode(Text + "<|endoftext|>", allowSpecial: true),
                read!.Encode(Text + "<|endoftext|>", allowSpecial: true));
            Assert.Equal(Text, read.Decode(tokenizer.Encode(Text)));
        }
        Assert.Equal("{{ messages }}", File.ReadAllText(folder.File("c/chat_template.jinja")));
    }

    [Fact]
    public void The_vocabulary_of_stories260K_comes_out_as_it_was_published()
    {
        using var folder = new TempFolder();
        File.Copy(PublicFiles.Path("stories260K/stories260K.bin"), folder.File("a.bin"));
        File.Copy(PublicFiles.Path("stories260K/tok512.bin"), folder.File("tokenizer.bin"));
        Assert.Empty(Convert(folder.File("a.bin"), folder.File("b.gguf")).Notes);
        Assert.Empty(Convert(folder.File("b.gguf"), folder.File("c")).Notes);
        using var made = GgufReader.Open(folder.File("b.gguf"));
        using var published = GgufReader.Open(PublicFiles.Path("stories260K/stories260K.gguf"));
        foreach (string key in (string[])["tokenizer.ggml.tokens", "tokenizer.ggml.model"])
            Assert.Equal(published.Metadata.Has(key) ? published.Metadata.TypeOf(key) : default,
                made.Metadata.TypeOf(key));
        Assert.Equal(published.Metadata.Strings("tokenizer.ggml.tokens"),
            made.Metadata.Strings("tokenizer.ggml.tokens"));
        Assert.Equal(published.Metadata.Integers("tokenizer.ggml.token_type"),
            made.Metadata.Integers("tokenizer.ggml.token_type"));
        Assert.Equal((1L, 2L),
            (made.Metadata.Integer("tokenizer.ggml.bos_token_id"), made.Metadata
                .Integer("tokenizer.ggml.eos_token_id")));
        const string Story = "Once upon a time, there was a little girl named Lily. \u00e9\u4e2d  She said: \"Hi!\"\n";
        int[] expected = TokenizerLoader.Load(folder.File("tokenizer.bin")).Encode(Story);
        foreach (string path in (string[])["a.bin", "b.gguf", "c"])
        {
            var (model, tokenizer) = ModelLoader.Load(folder.File(path));
            model.Dispose();
            Assert.Equal(expected, tokenizer!.Encode(Story));
            Assert.Equal(1, tokenizer.BeginId);
        }
    }

    [Fact]
    public void What_has_no_form_stays_behind_with_a_note()
    {
        using var folder = new TempFolder();
        Make(folder.File("a"), 3, CharTokenizer.FromText("abc"));
        Assert.Contains("vocabularies of characters",
            Assert.Single(Convert(folder.File("a"), folder.File("b.gguf")).Notes), StringComparison.Ordinal);
        Assert.Contains("keep the old one",
            Assert.Single(ModelConverter.Convert(Llama2c(folder), folder.File("c.bin"), new()).Notes),
            StringComparison.Ordinal);
        Convert(folder.File("a"), folder.File("d"));
        Assert.Equal(File.ReadAllBytes(folder.File("a/tokenizer.json")),
            File.ReadAllBytes(folder.File("d/tokenizer.json")));
    }

    static string Llama2c(TempFolder folder)
    {
        Directory.CreateDirectory(folder.File("e"));
        using var model = LanguageModel.Create(new DecoderConfig
        {
            VocabSize = 3,
            ContextLength = 8,
            Layers = 1,
            Heads = 1,
            Channels = 4,
            Intermediate = 4,
            NormEpsilon = 1e-5f
        });
        ModelDirectory.Save(folder.File("e"), model, CharTokenizer.FromText("abc"));
        return folder.File("e");
    }

    [Fact]
    public void A_tokenizer_with_more_tokens_than_the_model_is_refused_with_both_numbers()
    {
        using var folder = new TempFolder();
        Make(folder.File("a"), 100, BpeTrainer.Train([Text + Text], 270, "gpt2", threads: 1));
        foreach (Action action in (Action[])[() => ModelLoader.Load(folder.File("a")),
            () => Convert(folder.File("a"), folder.File("b.gguf"))])
        {
            var e = Assert.Throws<BadFileException>(action);
            Assert.Equal(folder.File("a/tokenizer.json"), e.Path);
            Assert.Contains("270 tokens and the model 100", e.Message, StringComparison.Ordinal);
        }
    }
}
