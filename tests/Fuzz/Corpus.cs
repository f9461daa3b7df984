using Nano.Tests;

namespace Nano.Fuzz;

/// <summary>Small valid files of every format, made by the writers.</summary>
static class FuzzCorpus
{
    static readonly Gpt2Config Gpt2 = new()
    {
        VocabSize = 7,
        ContextLength = 4,
        Layers = 1,
        Heads = 1,
        Channels = 4,
        BosToken = 0,
        EosTokens = [1, 2]
    };

    static readonly DecoderConfig Llama = new()
    {
        VocabSize = 7,
        ContextLength = 4,
        Layers = 2,
        Heads = 2,
        KvHeads = 1,
        Channels = 4,
        Intermediate = 3,
        NormEpsilon = 1e-5f,
        BosToken = 1,
        EosTokens = [2]
    };

    /// <summary>All of it.</summary>
    public static IReadOnlyList<FuzzSeed> All(string folder) =>
        [.. Models(folder), Metadata(folder), Questions(), .. Importance(folder), .. Pictures(), .. TokenizerCorpus.All(folder)];

    /// <summary>Models in every format. The folder is for making them.</summary>
    static List<FuzzSeed> Models(string folder)
    {
        var seeds = new List<FuzzSeed>();
        foreach (ModelConfig config in (ModelConfig[])[Gpt2, Llama,
            Llama with { QkNorm = true, TiedHead = false, RopeTheta = 1e6, RopeScaling = new RopeScaling.Linear(2) }])
        {
            using LanguageModel model = LanguageModel.Create(config);
            model.Initialize(5);
            using var source = ModelSource.Of(model);
            string name = $"{config.ModelType}-{seeds.Count}",
                made = Directory.CreateDirectory(Path.Combine(folder, "make", name)).FullName;
            ModelDirectory.Write(made, source);
            AddFolder(seeds, made, name);
            ModelConverter.Convert(made, made + "-shards",
                new() { Format = ModelFormat.Safetensors, ShardBytes = 200, Type = WeightType.BF16 });
            AddFolder(seeds, made + "-shards", name + "-shards");
            AddFile(seeds, made, "model.gguf", name, new() { Type = WeightType.F16 });
            if (config is Gpt2Config)
                AddFile(seeds, made, "llmc.bin", name, new());
            else if (config == Llama)
                for (int version = 0; version < 3; version++)
                    AddFile(seeds, made, $"v{version}.bin", name, new() { Llama2cVersion = version });
        }
        Quantised(seeds, folder);
        LargeBlocks(seeds, folder);
        foreach (string name in (string[])["gptq4", "gptq8_ordered", "awq4", "gpt2_gptq8"])
            AddFolder(seeds, Goldens.Path($"quant_folders/{name}"), name);
        return seeds;
    }

    /// <summary>A model in blocks of several types. The folder is for making it.</summary>
    static void Quantised(List<FuzzSeed> seeds, string folder)
    {
        string path = Path.Combine(folder, "make", "quantised.gguf");
        using LanguageModel model = LanguageModel.Create(Gpt2 with { Channels = 32 });
        model.Initialize(6);
        using var source = ModelSource.Of(model);
        GgufModel.Quantise(path, source, new QuantisationOptions
        {
            FileType = GgufFileType.Q4_K_M,
            Types = new Dictionary<string, WeightType> { ["blk.0.ffn_down.weight"] = WeightType.MXFP4 },
        });
        seeds.Add(new FuzzSeed("model.gguf", File.ReadAllBytes(path), ReadModel, "quantised"));
    }

    /// <summary>A model with rows of 256 in blocks of every large type, and one in 16 bits. The folder is for making
    /// it.</summary>
    static void LargeBlocks(List<FuzzSeed> seeds, string folder)
    {
        string path = Path.Combine(folder, "make", "large-blocks.gguf");
        using LanguageModel model = LanguageModel.Create(Llama with
        {
            Layers = 1,
            Heads = 32,
            KvHeads = 1,
            Channels = 256,
            Intermediate = 8,
            TiedHead = false,
        });
        model.Initialize(7);
        using var source = ModelSource.Of(model);
        GgufModel.Quantise(path, source, new QuantisationOptions
        {
            FileType = GgufFileType.Q2_K,
            Types = new Dictionary<string, WeightType>
            {
                ["token_embd.weight"] = WeightType.Q4_K,
                ["output.weight"] = WeightType.Q6_K,
                ["blk.0.attn_q.weight"] = WeightType.TQ1_0,
                ["blk.0.attn_k.weight"] = WeightType.Q3_K,
                ["blk.0.attn_v.weight"] = WeightType.IQ4_XS,
                ["blk.0.ffn_gate.weight"] = WeightType.NVFP4,
                ["blk.0.ffn_up.weight"] = WeightType.Q5_K,
                ["blk.0.ffn_down.weight"] = WeightType.F16,
            },
        });
        seeds.Add(new FuzzSeed("model.gguf", File.ReadAllBytes(path), ReadModel, "large-blocks"));
    }

    /// <summary>GGUF metadata of every type. The folder is for making it.</summary>
    static FuzzSeed Metadata(string folder)
    {
        string path = Path.Combine(Directory.CreateDirectory(Path.Combine(folder, "make")).FullName, "metadata.gguf");
        var metadata = new GgufMetadata(path);
        metadata.Set("general.architecture", "llama");
        metadata.Set("tokenizer.ggml.tokens", (string[])["<unk>", "<s>", "\u2581a", "\u00e9"]);
        metadata.Set("tokenizer.ggml.scores", (float[])[0, -1, -2, -3]);
        metadata.Set("tokenizer.ggml.token_type", (int[])[2, 3, 1, 1]);
        metadata.Set("tokenizer.ggml.add_bos_token", true);
        metadata.Set("general.alignment", 64u);
        metadata.Set("x.f", 0.5f);
        byte[] nested = [9, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0,
            0, 0, 0, 0, 0, 8, 9];
        metadata.Set("x.nested", GgufValueType.Array, nested);
        metadata.Set("x.i64", GgufValueType.Int64, BitConverter.GetBytes(-5L));
        metadata.Set("x.f64", GgufValueType.Float64, BitConverter.GetBytes(0.25));
        GgufWriter.Write(path, metadata, []);
        return new FuzzSeed("metadata.gguf", File.ReadAllBytes(path), ReadMetadata, "metadata");
    }

    /// <summary>An importance matrix in both forms, the means asked for. The folder is for making them.</summary>
    static IEnumerable<FuzzSeed> Importance(string folder)
    {
        var matrix = new ImportanceMatrix(new Dictionary<string, ColumnImportance>
        {
            ["blk.0.attn_q.weight"] = new([1, 2, 3, 4], [512]),
            ["blk.0.ffn_up_exps.weight"] = new([1, 2, 3, 4, 5, 6], [512, 0, 3]),
        })
        {
            DataSets = ["text.txt"],
            Chunks = 2,
            ChunkLength = 256,
        };
        foreach (ImportanceFormat format in Enum.GetValues<ImportanceFormat>())
        {
            string path = Path.Combine(Directory.CreateDirectory(Path.Combine(folder, "make")).FullName, "imatrix");
            ImportanceFile.Write(path, matrix, format);
            yield return new FuzzSeed("imatrix", File.ReadAllBytes(path), made =>
            {
                foreach (ColumnImportance columns in ImportanceFile.Read(made).Tensors.Values)
                    if (!Array.TrueForAll(columns.Means(), float.IsFinite))
                        throw new InvalidOperationException("a mean is not finite");
            }, $"imatrix-{format}");
        }
    }

    /// <summary>A picture in every kind of file, and what a model wants of pictures.</summary>
    static IEnumerable<FuzzSeed> Pictures()
    {
        foreach (string name in (string[])["rgb.png", "palette.png", "bits.png", "grey.jpg", "progressive.jpg",
            "rgb.bmp", "rgb.ppm"])
            yield return new FuzzSeed(name, File.ReadAllBytes(Goldens.Path("pictures/" + name)),
                path => Picture.Read(path).Resize(8, 8, PictureFilter.Bicubic), "pictures");
        yield return new FuzzSeed("config.json", File.ReadAllBytes(Goldens.Path("zoo/clip/config.json")), ReadProcessor,
            "processor");
        yield return new FuzzSeed("preprocessor_config.json", """
            {"crop_size":{"height":16,"width":16},"do_center_crop":true,"do_normalize":true,"resample":3,
            "size":{"shortest_edge":18},"rescale_factor":0.5,"image_mean":[0.4,0.5,0.6],"image_std":[0.2,0.3,0.4]}
            """u8.ToArray(), ReadProcessor, "processor");

        static void ReadProcessor(string path) => AnyModel.LoadImageProcessor(Path.GetDirectoryName(path)!);
    }

    /// <summary>Questions of llm.c: two, with two and three completions.</summary>
    static FuzzSeed Questions()
    {
        int[] header = new int[256];
        ((int[])[20240522, 1, 2, 34]).CopyTo(header, 0);
        ushort[] examples = [65535, 26, 0, 1, 2, 2, 5, 6, 1, 7, 2, 8, 9, 65535, 34, 1, 0, 3, 3, 1, 2, 3, 2, 4, 5, 1,
            6, 2, 7, 8];
        byte[] bytes = [.. header.SelectMany(BitConverter.GetBytes), .. examples.SelectMany(BitConverter.GetBytes)];
        return new FuzzSeed("questions.bin", bytes, path =>
        {
            using var file = new LlmcEvalFile(path);
            for (int i = 0; i < file.Count; i++)
                _ = file[i].Completions[file[i].Label];
        }, "questions");
    }

    static void AddFolder(List<FuzzSeed> seeds, string made, string set)
    {
        foreach (string file in Directory.GetFiles(made).Order(StringComparer.Ordinal))
            seeds.Add(new FuzzSeed(Path.GetFileName(file), File.ReadAllBytes(file),
                path => ReadModel(Path.GetDirectoryName(path)!), set));
    }

    static void AddFile(List<FuzzSeed> seeds, string made, string name, string set, ConversionOptions options)
    {
        string path = Path.Combine(Path.GetDirectoryName(made)!, $"{set}-{name}");
        ModelConverter.Convert(made, path, options);
        seeds.Add(new FuzzSeed(name, File.ReadAllBytes(path), ReadModel, set));
    }

    /// <summary>Opens a model, reads every weight, and packs those of one that is quantised.</summary>
    static void ReadModel(string path)
    {
        using var source = ModelLoader.Open(path);
        if (source.Tensors.Any(tensor => WeightTypes.IsQuantised(tensor.Type)))
            source.LoadToRun().Dispose();
        var floats = new float[4096];
        foreach (ModelTensor tensor in source.Tensors)
            tensor.ReadFloat32(tensor.Shape.Length <= floats.Length ? floats.AsSpan(0, (int)tensor.Shape.Length)
                : new float[tensor.Shape.Length]);
    }

    /// <summary>Opens a GGUF file and asks every value for every type.</summary>
    static void ReadMetadata(string path)
    {
        using var file = GgufReader.Open(path);
        foreach (string key in file.Metadata.Keys)
            foreach (Action<string> ask in (Action<string>[])[k => file.Metadata.String(k),
                k => file.Metadata.Integer(k), k => file.Metadata.Float(k), k => file.Metadata.Bool(k),
                    k => file.Metadata.Strings(k), k => file.Metadata.Floats(k), k => file.Metadata.Integers(k)])
                try
                {
                    ask(key);
                }
                catch (BadFileException)
                {
                    // It has another type.
                }
    }
}
