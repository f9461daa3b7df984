using System.Text.Json;

namespace Nano.Tests;

/// <summary>trainer.json, and what may differ between the run it was written by and the one that goes on.</summary>
public class RunStateTests
{
    static readonly Dictionary<string, string> Text = new() { ["corpus_sha256"] = "abc" };

    static byte[] Write(RunState state)
    {
        using var stream = new MemoryStream();
        RunStateFile.Write(stream, state);
        return stream.ToArray();
    }

    static RunState Read(byte[] bytes)
    {
        using var folder = new TempFolder();
        File.WriteAllBytes(folder.File("trainer.json"), bytes);
        return RunStateFile.Read(folder.File("trainer.json"));
    }

    public static TheoryData<string> Names => [.. Presets.All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_option_of_every_preset_comes_back(string preset)
    {
        var options = Presets.Get(preset) with
        {
            Seed = ulong.MaxValue,
            LearningRate = 0.1 + 0.2,
            EvalRows = 3,
            Keep = 4,
            Data = "texte/été \"1\".txt",
        };
        var state = new RunState(options, Text, []) { Step = 12 };
        state.Numbers["a"] = 1.0 / 3;
        state.Numbers["b"] = double.PositiveInfinity;
        state.Numbers["c"] = -0.0;
        byte[] bytes = Write(state);
        var back = Read(bytes);
        Assert.Equal(options, back.Options);
        Assert.Equal(state.Describe(), back.Describe());
        Assert.Equal((12L, 3L, 4, options.Data),
            (back.Step, back.Options.EvalRows, back.Options.Keep, back.Options.Data));
        Assert.Equal(state.Numbers.Select(number => (number.Key, BitConverter.DoubleToInt64Bits(number.Value))),
            back.Numbers.Select(number => (number.Key, BitConverter.DoubleToInt64Bits(number.Value))));
        Assert.Equal(bytes, Write(back));
    }

    [Fact]
    public void No_option_is_left_out()
    {
        using var json = JsonDocument.Parse(Write(new RunState(Runs.Tiny, Text, [])));
        var names = json.RootElement.GetProperty("options").EnumerateObject().Select(property => property.Name)
            .ToHashSet();
        var expected = typeof(TrainOptions).GetProperties().Where(property => property.CanWrite)
            .Select(property => JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name)).ToHashSet();
        Assert.True(expected.Remove("kept_activations")); // two members, as in files of earlier versions
        Assert.Equal(expected.Append("checkpoint_activations").Append("activations").Order(), names.Order());
    }

    [Theory]
    [InlineData("\"version\": 2", "\"version\": 3", "version 3, of a later Nano")]
    [InlineData("\"version\": 2", "\"version\": 1", "version 1, which does not hold all options")]
    [InlineData("\"keep\": 1", "\"keeps\": 1", "keeps")]
    [InlineData("\"keep\": 1", "\"keep\": 1, \"keep\": 1", "keep")]
    [InlineData("\"activations\": \"float32\"", "\"activations\": \"fp8\"", "'activations' cannot be 'fp8'")]
    [InlineData("\"activations\": \"float32\"", "\"activations\": null", "'activations' cannot be")]
    [InlineData("\"checkpoint_activations\": false", "\"checkpoint_activations\": 1", "trainer state")]
    [InlineData("\"checkpoint_activations\": false", "\"checkpoint_activations\": null", "cannot be null")]
    [InlineData("\"keep\": 1", "\"keep\": 1.5", "keep")]
    [InlineData("\"preset\": \"tiny\"", "\"preset\": null", "preset")]
    [InlineData("\"batch\": 4,", "", "batch")]
    [InlineData("\"model_type\": \"gpt2\"", "\"model_type\": \"gpt9\"", "gpt9")]
    [InlineData("\"step\": 0", "\"step\": -1", "step -1")]
    [InlineData("\"step\": 0", "\"step\": 99999999999", "step 99999999999")]
    public void A_state_that_is_not_one_is_refused_with_the_reason(string text, string instead, string reason)
    {
        string whole = System.Text.Encoding.UTF8.GetString(Write(new RunState(Runs.Tiny, Text, [])));
        Assert.Contains(text, whole, StringComparison.Ordinal);
        var e = Assert.Throws<BadFileException>(() =>
            Read(System.Text.Encoding.UTF8.GetBytes(whole.Replace(text, instead, StringComparison.Ordinal))));
        Assert.Contains(reason, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_version_1_looked_like_is_named_as_such() => Assert.Contains("version 1",
        Assert.Throws<BadFileException>(() =>
            Read("""{ "version": 1, "step": 4, "options": { "batch": "4", "lr": "0.01" } }"""u8.ToArray())).Message,
            StringComparison.Ordinal);

    [Theory]
    [InlineData(Keep.All, "false", "float32")]
    [InlineData(Keep.Nothing, "true", "float32")]
    [InlineData(Keep.BFloat16, "false", "b_float16")]
    public void Kept_activations_are_two_members_as_in_files_of_earlier_versions(Keep kept, string recompute,
        string stored)
    {
        byte[] bytes = Write(new RunState(Runs.Tiny with { KeptActivations = kept }, Text, []));
        string whole = System.Text.Encoding.UTF8.GetString(bytes);
        Assert.Contains($"\"checkpoint_activations\": {recompute}", whole, StringComparison.Ordinal);
        Assert.Contains($"\"activations\": \"{stored}\"", whole, StringComparison.Ordinal);
        Assert.Equal(kept, Read(bytes).Options.KeptActivations);
    }

    [Fact]
    public void An_option_that_an_older_file_lacks_has_its_default()
    {
        string whole = System.Text.Encoding.UTF8.GetString(Write(new RunState(Runs.Tiny with { Keep = 1 }, Text, [])));
        Assert.Equal(1, Read(System.Text.Encoding.UTF8
            .GetBytes(whole.Replace("\"keep\": 1,", "", StringComparison.Ordinal))).Options.Keep);
    }

    static IReadOnlyList<string> Differences(TrainOptions was, long step, TrainOptions now) =>
        new RunState(now, Text, []).DifferencesFrom(new RunState(was, Text, []) { Step = step });

    [Fact]
    public void The_split_of_a_batch_may_change_and_its_size_may_not()
    {
        var was = Runs.Tiny with { Batch = 4, Accumulate = 2, EvalRows = 8 };
        Assert.Empty(Differences(was, 3, was with { Batch = 1, Accumulate = 8 }));
        Assert.Empty(Differences(was, 3,
            was with { Batch = 8, Accumulate = 1, KeptActivations = Keep.Nothing, Keep = 3, Data = "elsewhere" }));
        Assert.Equal(["accumulate was 2 and is now 3"], Differences(was, 3, was with { Accumulate = 3 }));
        Assert.Equal(["accumulate was 2 and is now 9", "batch was 4 and is now 1"],
            Differences(was, 3, was with { Batch = 1, Accumulate = 9 }));
        Assert.Equal(["eval_rows was 8 and is now 2"],
            Differences(was, 3, was with { Batch = 1, Accumulate = 8, EvalRows = 2 }));
    }

    [Theory]
    [InlineData(0, 2, true)]
    [InlineData(2, 2, true)] // warming up: no rate so far depends on the number of steps
    [InlineData(3, 2, true)] // the first step after it still has the peak
    [InlineData(4, 2, false)]
    [InlineData(100, 1000, true)]
    public void The_number_of_steps_may_change_while_no_learning_rate_so_far_depends_on_it(long done, int warmup,
        bool allowed)
    {
        var was = Runs.Tiny with { Steps = 200, WarmupSteps = warmup };
        string expected = $"steps was 200 and is now 300 (the learning rates of the {done} steps done depend on it)";
        Assert.Equal(allowed ? [] : new[] { expected }, Differences(was, done, was with { Steps = 300 }));
    }

    [Fact]
    public void A_constant_rate_leaves_the_number_of_steps_free_but_not_below_what_is_done()
    {
        var was = Runs.Tiny with { Steps = 200, WarmupSteps = 0, LearningRate = 1e-3, MinLearningRate = 1e-3 };
        Assert.Empty(Differences(was, 200, was with { Steps = 300 }));
        Assert.Empty(Differences(was, 50, was with { Steps = 50 }));
        Assert.Single(Differences(was, 50, was with { Steps = 49 }));
    }

    [Fact]
    public void The_best_is_the_lowest_so_far_and_the_first_of_equals()
    {
        var state = new RunState(Runs.Tiny, Text, []);
        Assert.Equal([true, false, false, true, false], new[] { 3.0, 4, 3, 2.5, double.NaN }.Select(state.IsBest));
    }

    /// <summary>
    /// Every value in turn becomes null, and every string, keys too, begins with half of a
    /// surrogate pair.
    /// </summary>
    [Fact]
    public void Nulls_and_halves_of_surrogate_pairs_are_refused_or_mean_what_is_left_out()
    {
        var state = new RunState(Runs.Tiny with { Data = "text.txt" }, Text, []) { Step = 1 };
        state.Numbers["a"] = 1;
        string whole = System.Text.Encoding.UTF8.GetString(Write(state));
        string[] nulls = [.. System.Text.RegularExpressions.Regex
            .Matches(whole, "(?<=: )(\"[^\"]*\"|[-+.eE0-9]+|true|false)")
            .Select(value => whole[..value.Index] + "null" + whole[(value.Index + value.Length)..])];
        string[] halves = [.. System.Text.RegularExpressions.Regex.Matches(whole, "(?<=\")[^\":, ]+\"")
            .Select(text => whole[..text.Index] + "\\ud800" + whole[text.Index..])];
        Assert.True(nulls.Length > 30 && halves.Length > 40, $"{nulls.Length}, {halves.Length}");
        var taken = new List<string>();
        int refused = 0;
        foreach (string text in nulls.Concat(halves).Append("null")
            .Append(whole.Replace("\"options\": {", "\"options\": null, \"x\": {", StringComparison.Ordinal)))
            try
            {
                Assert.Empty(new RunState(Runs.Tiny, Text, [])
                    .DifferencesFrom(Read(System.Text.Encoding.UTF8.GetBytes(text)) with { Options = Runs.Tiny }));
                taken.Add(text.Split('\n').First(line => !whole.Contains(line, StringComparison.Ordinal)).Trim());
            }
            catch (BadFileException)
            {
                refused++;
            }
        // As left out, where there is a default; or of the model's configuration, what nobody reads.
        string[] unread = ["LMHeadModel\"", "\"torch_dtype\""];
        Assert.All(taken, line => Assert.True(line.EndsWith(": null,", StringComparison.Ordinal)
            || unread.Any(name => line.Contains(name, StringComparison.Ordinal)), line));
        Assert.True(taken.Count + refused == nulls.Length + halves.Length + 2 && taken.Count < 20,
            string.Join(' ', taken));
    }
}
