namespace Nano.Tests.Data;

/// <summary>Runs on token files.</summary>
public sealed class ShardTrainingTests : IDisposable
{
    const int V = 300;

    static readonly Corpus Corpus = new("test", PatternedText.Sentences(), "made for this test");

    static readonly Lazy<ITokenizer> Bpe = new(() => BpeTrainer.Train([Corpus.Text], V, threads: 1));

    readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    PreparedData Prepare(string name, string text, string separator = PrepareOptions.NoSeparator, int shardTokens = 300)
    {
        File.WriteAllText(temp.File("text.txt"), text);
        return DataPreparer.Run(new PrepareOptions { Inputs = [temp.File("text.txt")], Tokenizer = Bpe.Value,
            Out = temp.File(name), Separator = separator, ShardTokens = shardTokens, Threads = 1 });
    }

    void Train(TrainingData data, string run, Compute compute, TrainOptions options, bool resume = false,
        int? until = null)
    {
        using var trainer = new Trainer(options, data, temp.File(run), resume, compute, 100, "nano train test");
        foreach (var e in trainer.Run(CancellationToken.None))
            if (e is StepDone done && done.Step == until)
                return;
    }

    string Weights(string run) => Runs.Files(temp.File(run + "/step-000006"))["model.safetensors"];

    [Fact]
    public void Token_files_train_the_same_weights_as_the_text()
    {
        using var compute = new Compute(2);
        Train(TrainingData.FromText(Corpus, Bpe.Value), "text", compute, Runs.Tiny);
        var prepared = Prepare("prepared", Corpus.Text);
        Assert.True(prepared.Train.Files.Count > 2); // windows cross from one file to the next
        using var data = TrainingData.FromShards(temp.File("prepared"));
        Train(data, "shards", compute, Runs.Tiny);
        Assert.Equal(Weights("text"), Weights("shards"));
        Assert.Equal(TrainingData.FromText(Corpus, Bpe.Value).ValidationBytesPerToken, data.ValidationBytesPerToken);

        using var files = TrainingData.FromShards(temp.File("prepared/train_*.bin"), null, Bpe.Value);
        Train(files, "files", compute, Runs.Tiny);
        Assert.Equal(Weights("text"), Weights("files"));
        Assert.Equal(data.ValidationBytesPerToken, files.ValidationBytesPerToken, 1e-12);
        Assert.Equal(data.Identity, files.Identity);
    }

    [Theory]
    [InlineData(Sampling.Random)]
    [InlineData(Sampling.Epochs)]
    public void A_run_on_token_files_is_resumed_exactly_and_only_with_the_same_data(Sampling sampling)
    {
        using var compute = new Compute(1);
        Prepare("prepared", Corpus.Text);
        var options = Runs.Tiny with { Sampling = sampling };
        using var data = TrainingData.FromShards(temp.File("prepared"));
        Train(data, "whole", compute, options);
        Train(data, "parts", compute, options, until: 5);
        using var again = TrainingData.FromShards(temp.File("prepared"));
        Train(again, "parts", compute, options, resume: true);
        Assert.Equal(Runs.Files(temp.File("whole/step-000006")), Runs.Files(temp.File("parts/step-000006")));

        Prepare("other", Corpus.Text.Replace("my aunt", "my uncle", StringComparison.Ordinal));
        using var other = TrainingData.FromShards(temp.File("other"));
        var e = Assert.Throws<NanoException>(() => Train(other, "parts", compute, options, resume: true));
        Assert.Contains("train_sha256 was", e.Message, StringComparison.Ordinal);
        var changed = options with { Sampling = sampling == Sampling.Random ? Sampling.Epochs : Sampling.Random };
        Assert.Contains("sampling was",
            Assert.Throws<NanoException>(() => Train(data, "parts", compute, changed, resume: true)).Message,
            StringComparison.Ordinal);
    }

    /// <summary>Documents of a few words each.</summary>
    TrainingData Documents()
    {
        File.WriteAllText(temp.File("text.txt"), Corpus.Text.Replace(".\n", ".\n\n", StringComparison.Ordinal));
        DataPreparer.Run(new PrepareOptions { Inputs = [temp.File("text.txt")], Tokenizer = Bpe.Value,
            Out = temp.File("documents"), Format = DataFormat.Sections, Overwrite = true });
        return TrainingData.FromShards(temp.File("documents"));
    }

    [Fact]
    public void A_packed_step_has_the_loss_of_its_documents_one_by_one()
    {
        using var data = Documents();
        using var compute = new Compute(1);
        var options = Runs.Tiny with { Pack = true, Batch = 6, Time = 12,
            Model = Runs.Tiny.Model with { VocabSize = V } };
        using var model = Runs.NewModel(options);
        var loader = new BatchLoader(data.Train, options.Batch, options.Time, "test", Sampling.Epochs, data.Separator);
        var (ids, targets) = (new Tensor(new Shape(6, 12), DType.Int32), new Tensor(new Shape(6, 12), DType.Int32));
        loader.Training(options.Seed, 0, ids, targets);
        int[] lengths = loader.DocumentLengths(ids)!;
        int kept = targets.Ids.ToArray().Count(target => target != -100);
        Assert.True(lengths.Length > 8 && kept < 72, string.Join(' ', lengths));
        double sum = 0;
        int start = 0;
        foreach (int length in lengths)
        {
            compute.NextStep();
            var (one, next) = (compute.New(new Shape(1, length), DType.Int32), compute.New(new Shape(1, length),
                DType.Int32));
            ids.Ids.Slice(start, length).CopyTo(one.Ids);
            targets.Ids.Slice(start, length).CopyTo(next.Ids);
            var (_, nll) = compute.WithoutTape(() => model.Loss(compute, one, next, 1));
            foreach (float value in nll.Data)
                sum += value;
            start += length;
        }
        double expected = sum / kept;
        using var step = new TrainStep(model, compute, loader, options);
        Assert.Equal(expected, step.FindGradients(0).Loss, 1e-6);
        // The same rows as three micro-batches.
        using var again = Runs.NewModel(options);
        var parts = new BatchLoader(data.Train, 2, options.Time, "test", Sampling.Epochs, data.Separator);
        using var divided = new TrainStep(again, compute, parts, options with { Batch = 2, Accumulate = 3 });
        Assert.Equal(expected, divided.FindGradients(0).Loss, 1e-6);
    }

    [Fact]
    public void A_packed_run_learns_and_is_resumed_exactly()
    {
        using var data = Documents();
        using var compute = new Compute(2);
        var options = Runs.Tiny with { Pack = true, Sampling = Sampling.Epochs, Time = 12 };
        Train(data, "whole", compute, options);
        Train(data, "parts", compute, options, until: 3);
        Train(data, "parts", compute, options, resume: true);
        Assert.Equal(Runs.Files(temp.File("whole/step-000006")), Runs.Files(temp.File("parts/step-000006")));
        var e = Assert.Throws<NanoException>(() =>
            Train(TrainingData.FromText(Corpus, Bpe.Value), "text", compute, options));
        Assert.Contains("no marks between documents", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Token_files_are_evaluated_like_their_text()
    {
        var prepared = Prepare("prepared", Corpus.Text);
        var (_, validation) = Corpus.Split();
        var (ids, bytes) = TokenFiles.ReadAll(temp.File("prepared"), Bpe.Value);
        Assert.Equal(Bpe.Value.Encode(validation), ids);
        Assert.Equal(validation.Length, bytes);
        Assert.Equal(prepared.Validation.Bytes, TokenFiles.ReadAll(temp.File("prepared/val_*.bin"), Bpe.Value).Bytes);
        var other = BpeTrainer.Train([PatternedText.Sentences(100)], V, threads: 1);
        Assert.Contains("another tokenizer",
            Assert.Throws<NanoException>(() => TokenFiles.ReadAll(temp.File("prepared"), other)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_that_was_changed_is_refused()
    {
        Prepare("prepared", Corpus.Text);
        string folder = temp.File("prepared");
        void Refused(string file, Action<string> change, params string[] words)
        {
            string path = Path.Combine(folder, file);
            byte[] before = File.ReadAllBytes(path);
            change(path);
            var e = Assert.ThrowsAny<Exception>(() => TrainingData.FromShards(folder));
            Assert.True(e is BadFileException or NanoException, e.ToString());
            Assert.All(words, word => Assert.Contains(word, e.Message, StringComparison.Ordinal));
            File.WriteAllBytes(path, before);
        }
        void Edit(string path, Action<byte[]> edit)
        {
            byte[] bytes = File.ReadAllBytes(path);
            edit(bytes);
            File.WriteAllBytes(path, bytes);
        }
        Refused("train_000002.bin", path => Edit(path, bytes => bytes[1100] ^= 1), "train_000002.bin", "damaged");
        Refused("train_000002.bin", File.Delete, "there is no file", "train_000002.bin");
        Refused("val_000000.bin", path => File.WriteAllBytes(path, File.ReadAllBytes(path)[..^2]),
            "val_000000.bin", "bytes");
        Refused("tokenizer.json", path => Bpe300().Save(path), "tokenizer.json", "another tokenizer");
        Refused("dataset.json", File.Delete, "no prepared data");
        string json = File.ReadAllText(Path.Combine(folder, "dataset.json"));
        foreach (var (from, to) in new[] { ("\"version\": 1", "\"version\": 2"),
            ("\"train_000002.bin\"", "\"../train_000002.bin\""), ("\"tokens\": 300", "\"tokens\": 301"),
                ("\"vocab_size\": 300", "\"vocab_size\": -1"), ("\"train\": {", "\"trian\": {"), ("{", "[") })
        {
            Assert.Contains(from, json, StringComparison.Ordinal);
            Refused("dataset.json", path => File.WriteAllText(path, json.Replace(from, to, StringComparison.Ordinal)),
                "dataset.json");
        }
        using var whole = TrainingData.FromShards(folder);
        static ITokenizer Bpe300() => BpeTrainer.Train([PatternedText.Sentences(100)], V, threads: 1);
    }

    [Fact]
    public void Files_that_do_not_belong_together_are_refused()
    {
        void Put(string name, int vocabulary, params int[] ids)
        {
            using var writer = new TokenShardWriter(temp.File(name), vocabulary);
            writer.Write(ids);
            writer.Finish();
        }
        int[] ids = [.. Enumerable.Range(0, 40)];
        Put("a_train.bin", V, ids);
        Put("a_val.bin", 70_000, ids);
        var e = Assert.Throws<BadFileException>(() =>
            TrainingData.FromShards(temp.File("a_train.bin"), null, Bpe.Value));
        Assert.Contains("a_train.bin", e.Message, StringComparison.Ordinal);
        Assert.Contains("a_val.bin", e.Message, StringComparison.Ordinal);
        Put("b_train_000001.bin", V, ids);
        Put("b_train_000002.bin", 70_000, ids);
        Put("b_val_000000.bin", V, ids);
        e = Assert.Throws<BadFileException>(() => TrainingData.FromShards(temp.File("b_train_*.bin"),
            temp.File("b_val_000000.bin"), Bpe.Value));
        Assert.Contains("b_train_000001.bin", e.Message, StringComparison.Ordinal);
        Assert.Contains("b_train_000002.bin", e.Message, StringComparison.Ordinal);
        // finds b_val_000000.bin
        using (var found = TrainingData.FromShards(temp.File("b_train_000001.bin"), null, Bpe.Value))
            Assert.Equal((40, 40), (found.Train.Length, found.Validation.Length));
        Put("c_train.bin", V, 1, 2, V);
        Assert.Contains("the id 300", Assert.Throws<BadFileException>(() => TrainingData.FromShards(temp.File("c_train.bin"), temp.File("b_val_000000.bin"), Bpe.Value)).Message, StringComparison.Ordinal);
        Assert.Contains("`validation_data`", Assert.Throws<NanoException>(() => TrainingData.FromShards(temp.File("c_train.bin"), null, Bpe.Value)).Hint, StringComparison.Ordinal);
        Assert.Contains("which tokenizer", Assert.Throws<NanoException>(() => TrainingData.FromShards(temp.File("a_train.bin"))).Message, StringComparison.Ordinal);
    }
}
