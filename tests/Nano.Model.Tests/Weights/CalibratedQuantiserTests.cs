namespace Nano.Tests.Formats;

/// <summary>Whole models quantised by methods that look at inputs, or at weights alone.</summary>
public class CalibratedQuantiserTests
{
    static readonly DecoderConfig Llama = new()
    {
        VocabSize = 40,
        ContextLength = 32,
        Layers = 2,
        Heads = 4,
        KvHeads = 4,
        Channels = 64,
        Intermediate = 96,
        NormEpsilon = 1e-5f,
        TiedHead = false,
        BosToken = 1,
        EosTokens = [2],
    };

    static readonly Gpt2Config Gpt2 = new()
    {
        VocabSize = 40,
        ContextLength = 32,
        Layers = 2,
        Heads = 2,
        Channels = 64,
        BosToken = 0,
        EosTokens = [0],
    };

    public static TheoryData<string, QuantisationMethod, bool> All
    {
        get
        {
            var all = new TheoryData<string, QuantisationMethod, bool>();
            foreach (string model in (string[])["llama", "gpt2"])
                foreach (var method in Enum.GetValues<QuantisationMethod>())
                    foreach (bool isGguf in (bool[])[false, true])
                        all.Add(model, method, isGguf);
            return all;
        }
    }

    static readonly int[] Ids = [.. Enumerable.Range(0, 1600).Select(i => (int)((i + 1) * 2654435761L % 104729 % 40))];

    /// <summary>
    /// A model whose inputs have channels of very different size, as trained ones have.
    /// </summary>
    static string Make(TempFolder folder, string kind, ulong seed = 3)
    {
        using LanguageModel model = LanguageModel.Create(kind == "llama" ? Llama : Gpt2);
        model.Initialize(seed);
        foreach (Tensor parameter in model.Parameters.All)
        {
            Span<float> data = parameter.Data;
            for (int i = 0; i < data.Length; i++)
                data[i] = parameter.Parameter!.Role == ParameterRole.Norm ? (i % 13 == 0 ? 4 : 0.5f) : data[i] * 2;
        }
        string path = folder.File(kind);
        Directory.CreateDirectory(path);
        ModelDirectory.Save(path, model, tokenizer: null);
        return path;
    }

    static float[] Logits(string path, bool exact = true)
    {
        using var source = ModelLoader.Open(path);
        using var model = source.LoadToRun(exact);
        using var compute = new Compute(2);
        return model.Forward(compute, Tensor.FromIds(new Shape(1, 32), Ids.AsSpan(64, 32))).Data.ToArray();
    }

    static double Error(float[] expected, float[] actual)
    {
        double rms = Math.Sqrt(expected.Zip(actual, (a, b) => (double)(a - b) * (a - b)).Average());
        return rms / Math.Sqrt(expected.Average(x => (double)x * x));
    }

    static Conversion Quantise(string from, string to, CalibrationOptions options, int threads = 2)
    {
        using var compute = new Compute(threads);
        return CalibratedQuantiser.Quantise(from, to, options with { ChunkLength = 32, Group = options.Group }, compute,
            options.NeedsText ? Ids : []);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void A_model_quantised_by_a_method_runs_and_is_near_the_model_it_was(string kind, QuantisationMethod method,
        bool isGguf)
    {
        using var folder = new TempFolder();
        string from = Make(folder, kind), to = folder.File(isGguf ? "q.gguf" : "q");
        bool isBytes = method is QuantisationMethod.Int8 or QuantisationMethod.SmoothQuant;
        var made = Quantise(from, to,
            new CalibrationOptions { Method = method, Group = isBytes || isGguf ? null : 32 });
        Assert.DoesNotContain(made.Notes, note => note.Contains("stay as they are", StringComparison.Ordinal));
        float[] expected = Logits(from), exact = Logits(to), quick = Logits(to, exact: false);
        Assert.InRange(Error(expected, exact), 1e-6, isBytes ? 0.02 : 0.3);
        Assert.InRange(Error(exact, quick), 0, 0.03);
        using var source = ModelLoader.Open(to);
        WeightType type = isGguf ? (isBytes ? WeightType.Q8_0 : WeightType.Q4_1)
            : isBytes ? WeightType.Int8 : WeightType.Int4;
        Assert.All(source.Declared.Where(pair => pair.Facts.IsInner && pair.Tensor.Shape.Rank == 2),
            pair => Assert.Equal(type, pair.Tensor.Type));
        // Norms of 64 channels are small: most bits are codes.
        Assert.True(isGguf || new FileInfo(Path.Combine(to, "model.safetensors")).Length
            < new FileInfo(Path.Combine(from, "model.safetensors")).Length / 2);
    }

    /// <summary>Logits of one model are noisy: the means of four, which are fixed.</summary>
    [Theory]
    [InlineData("llama", false)]
    [InlineData("llama", true)]
    [InlineData("gpt2", false)]
    [InlineData("gpt2", true)]
    public void Gptq_and_awq_err_less_than_rounding_to_the_nearest(string kind, bool isGguf)
    {
        double nearest = 0, awq = 0, gptq = 0, ordered = 0;
        for (ulong seed = 3; seed < 7; seed++)
        {
            using var folder = new TempFolder();
            string from = Make(folder, kind, seed);
            float[] expected = Logits(from);
            nearest += Of(QuantisationMethod.Nearest, true);
            awq += Of(QuantisationMethod.Awq, true);
            gptq += Of(QuantisationMethod.Gptq, false);
            ordered += Of(QuantisationMethod.Gptq, true);

            double Of(QuantisationMethod method, bool isOrdered)
            {
                string to = folder.File($"{method}-{isOrdered}{(isGguf ? ".gguf" : "")}");
                Quantise(from, to, new CalibrationOptions
                {
                    Method = method,
                    IsOrdered = isOrdered,
                    Group = isGguf ? null : 32,
                });
                return Error(expected, Logits(to));
            }
        }
        Assert.True(awq < nearest && gptq < nearest && ordered < nearest,
            $"nearest {nearest}, awq {awq}, gptq {gptq}, in order {ordered}");
    }

    [Theory]
    [InlineData(QuantisationMethod.Awq)]
    [InlineData(QuantisationMethod.SmoothQuant)]
    public void Scales_that_are_moved_leave_the_function_of_the_model(QuantisationMethod method)
    {
        foreach (ModelConfig config in (ModelConfig[])[Llama, Llama with { KvHeads = 2, QkvBias = true }, Gpt2])
        {
            using LanguageModel model = LanguageModel.Create(config);
            model.Initialize(4);
            using var compute = new Compute(1);
            var ids = Tensor.FromIds(new Shape(1, 32), Ids.AsSpan(0, 32));
            float[] before = model.Forward(compute, ids).Data.ToArray();
            var parameters = model.Parameters.All.ToDictionary(parameter => parameter.Name!);
            foreach (SharedInput input in config.SharedInputs(1).Where(input => input.Makers.Count > 0))
                InputScales.Move(parameters, input, [.. Enumerable.Range(0, parameters[input.Weights[0]].Shape[1])
                    .Select(i => method == QuantisationMethod.Awq ? 0.5 + (i % 7) : Math.Pow(2, (i % 5) - 2))]);
            Assert.InRange(Error(before, model.Forward(compute, ids).Data.ToArray()), 0, 2e-6);
        }
    }

    [Fact]
    public void Every_matrix_of_a_block_is_read_once_and_its_makers_make_it()
    {
        foreach (ModelConfig config in (ModelConfig[])[Llama, Llama with { KvHeads = 2, MlpBias = true }, Gpt2,
            Gpt2 with { Bias = false }])
        {
            var shapes = config.ParameterShapes().ToDictionary(parameter => parameter.Name);
            Assert.Equal(shapes.Values.Where(parameter => parameter.Facts.IsInner && parameter.Shape.Rank == 2)
                    .Select(parameter => parameter.Name),
                Enumerable.Range(0, config.Layers).SelectMany(config.SharedInputs).SelectMany(input => input.Weights));
            foreach (SharedInput input in Enumerable.Range(0, config.Layers).SelectMany(config.SharedInputs))
                Assert.All(input.Makers, maker => Assert.True(
                    input.FirstRow + shapes[input.Weights[0]].Shape[1] <= shapes[maker].Shape[0], maker));
        }
    }

    [Fact]
    public void The_number_of_threads_changes_no_byte()
    {
        using var folder = new TempFolder();
        string from = Make(folder, "llama");
        foreach (var method in (QuantisationMethod[])[QuantisationMethod.Gptq, QuantisationMethod.Awq])
        {
            byte[][] files = [.. ((int[])[1, 3]).Select(threads =>
            {
                string to = folder.File($"{method}{threads}.gguf");
                Quantise(from, to, new CalibrationOptions { Method = method }, threads);
                return File.ReadAllBytes(to);
            })];
            Assert.Equal(files[0], files[1]);
        }
    }

    [Fact]
    public void Matrices_that_groups_do_not_divide_stay_and_are_named()
    {
        using var folder = new TempFolder();
        string from = Make(folder, "llama");
        var made = Quantise(from, folder.File("q"),
            new CalibrationOptions { Method = QuantisationMethod.Gptq, Group = 64 });
        Assert.Contains(made.Notes, note => note.StartsWith("2 matrices stay as they are", StringComparison.Ordinal)
            && note.Contains("'model.layers.0.mlp.down_proj.weight'", StringComparison.Ordinal));
        using var source = ModelLoader.Open(folder.File("q"));
        Assert.Equal(2, source.Declared.Count(pair => pair.Facts.IsInner && pair.Tensor.Type == WeightType.F32));
    }

    [Fact]
    public void Eight_bits_by_gptq_in_a_folder_come_back_as_bytes()
    {
        using var folder = new TempFolder();
        string from = Make(folder, "gpt2");
        Quantise(from, folder.File("q"),
            new CalibrationOptions { Method = QuantisationMethod.Gptq, Bits = 8, Group = 32 });
        Assert.InRange(Error(Logits(from), Logits(folder.File("q"))), 1e-6, 0.02);
    }

    [Fact]
    public void Awq_in_a_gguf_file_takes_any_type()
    {
        using var folder = new TempFolder();
        string from = Make(folder, "llama");
        Quantise(from, folder.File("q.gguf"), new CalibrationOptions
        {
            Method = QuantisationMethod.Awq,
            FileType = GgufFileType.Q5_0,
        });
        using var source = ModelLoader.Open(folder.File("q.gguf"));
        Assert.Contains(source.Tensors, tensor => tensor.Type == WeightType.Q5_0);
    }

    [Fact]
    public void Options_texts_and_weights_that_do_not_serve_are_refused_and_nothing_is_written()
    {
        using var folder = new TempFolder();
        string from = Make(folder, "llama");
        using var compute = new Compute(1);
        string Refusal(CalibrationOptions options, string to, int[]? ids = null) =>
            Assert.Throws<NanoException>(() => CalibratedQuantiser.Quantise(from, folder.File(to),
                options with { ChunkLength = 32 }, compute, ids ?? Ids)).Message;
        var gptq = new CalibrationOptions { Method = QuantisationMethod.Gptq };
        Assert.Contains("with 3 bits", Refusal(gptq with { Bits = 3 }, "q"), StringComparison.Ordinal);
        Assert.Contains("no blocks for codes of 8 bits", Refusal(gptq with { Bits = 8 }, "q.gguf"),
            StringComparison.Ordinal);
        Assert.Contains("multiple of 32, got 48", Refusal(gptq with { Group = 48 }, "q"), StringComparison.Ordinal);
        Assert.Contains("`type` is decided by Gptq", Refusal(gptq with { FileType = GgufFileType.Q5_0 }, "q.gguf"),
            StringComparison.Ordinal);
        Assert.Contains("has a scale for each row", Refusal(new CalibrationOptions
        {
            Method = QuantisationMethod.Int8,
            Group = 32,
        }, "q"), StringComparison.Ordinal);
        Assert.Contains("the text is too short", Refusal(gptq, "q", Ids[..31]), StringComparison.Ordinal);
        Assert.Contains("is there already", Refusal(gptq, "llama"), StringComparison.Ordinal);
        using (var model = ModelLoader.LoadModel(from))
        {
            model.Parameters.All.First(parameter => parameter.Name!.EndsWith("k_proj.weight", StringComparison.Ordinal))
                .Data[5] = float.NaN;
            from = folder.File("nan");
            Directory.CreateDirectory(from);
            ModelDirectory.Save(from, model, tokenizer: null);
        }
        Assert.Contains("NaN", Refusal(new CalibrationOptions { Method = QuantisationMethod.Hqq }, "q.gguf"),
            StringComparison.Ordinal);
        Assert.Contains("are not finite", Refusal(gptq, "q.gguf"), StringComparison.Ordinal);
        Assert.False(Path.Exists(folder.File("q")) || Path.Exists(folder.File("q.gguf")));
        Quantise(folder.File("llama"), folder.File("once"), gptq with { Group = 32 });
        from = folder.File("once");
        Assert.Contains("is quantised already", Refusal(gptq, "twice"), StringComparison.Ordinal);
    }
}
