namespace Nano.Tests;

public class TextRewriterTests
{
    /// <summary>
    /// The encoder-decoder of the golden values under a vocabulary of numbered words: what it writes about the first
    /// text is PyTorch's greedy continuation.
    /// </summary>
    [Theory]
    [InlineData("zoo_more/bart", 2)]
    [InlineData("zoo_more/transformer", 2)]
    [InlineData("zoo/t5_v1_1", 1)]
    [InlineData("zoo/t5_v1_0", 1)]
    public void The_likeliest_text_is_that_of_the_golden_values(string name, int end)
    {
        string source = Goldens.Path(name);
        using var folder = new TempFolder();
        File.Copy(Path.Combine(source, "config.json"), folder.File("config.json"));
        File.Copy(Path.Combine(source, "model.safetensors"), folder.File("model.safetensors"));
        using var golden = SafetensorsReader.Open(Path.Combine(source, "golden.safetensors"));
        long[] mask = new long[golden.Entries["attention_mask"].Count], ids = new long[mask.Length],
            expected = new long[golden.Entries["greedy_ids"].Count];
        golden.ReadInt64("attention_mask", mask);
        golden.ReadInt64("input_ids", ids);
        golden.ReadInt64("greedy_ids", expected);
        int length = (int)mask[..(int)golden.Entries["attention_mask"].Shape[1]].Sum();
        File.WriteAllText(folder.File("vocab.txt"),
            "[UNK]\n" + string.Concat(Enumerable.Range(1, 40).Select(i => $"w{i}\n")));
        using var rewriter = TextRewriter.TryOpen(folder.Root)!;
        using var compute = new Compute(2);
        Assert.All(ids[..length], id => Assert.InRange(id, 1, 70));
        var made = rewriter.Rewrite(compute, string.Join(' ', ids[..length].Select(id => id <= 40 ? $"w{id}" : "w1")), 5);
        Assert.Equal(ids[..length].Select(id => id <= 40 ? (int)id : 1), made.Source);
        Assert.True(made.Ids.Count == 5 || made.Ids[^1] == end, string.Join(' ', made.Ids));
        // The text itself has words that the vocabulary lacks, so that the ids are given to the model directly.
        using var model = AnyModel.Load(source);
        int count = expected.Length - 1;
        var whole = ((IEncoderDecoder)model).Write(compute, [.. ids[..length].Select(id => (int)id)],
            [(int)expected[0]], count);
        Assert.Equal(expected[1..].Select(id => (int)id), whole);
        var ended = ((IEncoderDecoder)model).Write(compute, [.. ids[..length].Select(id => (int)id)],
            [(int)expected[0]], count, end: whole[3]);
        Assert.Equal(whole.Take(whole.ToList().IndexOf(whole[3]) + 1), ended);
    }

    [Fact]
    public void Other_folders_are_left_to_others()
    {
        Assert.Null(TextRewriter.TryOpen(Goldens.Path("llama_tiny")));
        Assert.Null(TextRewriter.TryOpen("no-such-folder"));
        Assert.Throws<NanoException>(() => TextRewriter.TryOpen(Goldens.Path("zoo/t5_v1_0")));
    }

    /// <summary>Of a whole text at once the last logits point to what cached steps write.</summary>
    [Fact]
    public void Cached_steps_of_a_transformer_write_what_the_whole_text_tells()
    {
        using var model = (Transformer)AnyModel.Load(Goldens.Path("zoo_more/bart"));
        using var compute = new Compute(2);
        int[] text = [5, 9, 14, 30];
        List<int> written = [2, .. model.Write(compute, text, [2], 12)];
        compute.NextStep();
        float[] logits = [];
        model.Loss(compute, new Batch(new Dictionary<string, Tensor>
        {
            ["input_ids"] = Tensor.FromIds(new Shape(1, 4), text),
            ["decoder_input_ids"] = Tensor.FromIds(new Shape(1, 12), [.. written[..12]]),
            ["targets"] = Tensor.FromIds(new Shape(1, 12), [.. written[1..]]),
        }), (name, tensor) => logits = name == "logits" ? tensor.Data.ToArray() : logits);
        int V = logits.Length / 12;
        for (int t = 0; t < 12; t++)
            Assert.Equal(written[t + 1], Sampler.ArgMax(logits.AsSpan(t * V, V)));
        Assert.Contains("context of 32", Assert.Throws<NanoException>(() =>
            model.Write(compute, Enumerable.Repeat(5, 33).ToArray(), [2], 1)).Message, StringComparison.Ordinal);
    }
}
