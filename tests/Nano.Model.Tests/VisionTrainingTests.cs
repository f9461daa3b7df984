namespace Nano.Tests;

/// <summary>SigLIP's loss, and LLaVA's two stages of training.</summary>
public sealed class VisionTrainingTests : IDisposable
{
    private readonly Compute compute = new(1) { Tape = new Tape { RetainsAll = true } };

    private static Batch BatchOf(string folder)
    {
        using var golden = SafetensorsReader.Open(Path.Combine(Goldens.Zoo(folder), "golden.safetensors"));
        var tensors = new Dictionary<string, Tensor>();
        foreach (string name in (string[])["pixel_values", "input_ids", "targets"])
        {
            if (!golden.Entries.TryGetValue(name, out var entry))
                continue;
            var shape = new Shape([.. entry.Shape.Select(size => (int)size)]);
            if (entry.Type == SafetensorsType.I64)
            {
                long[] ids = new long[entry.Count];
                golden.ReadInt64(name, ids);
                tensors[name] = Tensor.FromIds(shape, Array.ConvertAll(ids, id => (int)id));
                continue;
            }
            float[] values = new float[entry.Count];
            golden.ReadFloat32(name, values);
            tensors[name] = Tensor.From(shape, values);
        }
        return new(tensors);
    }

    /// <summary>The loss and two gradients by the definition, in double precision.</summary>
    [Fact]
    public void The_sigmoid_loss_is_that_of_its_definition()
    {
        var config = (ClipConfig)ConfigFile.LoadAny(Path.Combine(Goldens.Zoo("clip"), "config.json"));
        using var model = new Clip(config with { SigmoidLoss = true });
        model.Initialize(3);
        Tensor Of(string name) => model.Parameters.All.First(parameter => parameter.Name == name);
        Tensor scale = Of("logit_scale"), bias = Of("logit_bias");
        Assert.Equal(Math.Log(10), scale.Data[0], 1e-6);
        Assert.Equal(-10, bias.Data[0]);
        bias.Data[0] = -2.5f;
        model.Parameters.EnableGradients();
        var seen = new Dictionary<string, float[]>();
        var loss = model.Loss(compute, BatchOf("clip"), (name, tensor) => seen[name] = tensor.Data.ToArray());
        compute.Tape!.Backward(compute, loss);

        int P = config.Projection, B = seen["image_embeds"].Length / P;
        double expected = 0, ofBias = 0, ofScale = 0;
        for (int i = 0; i < B; i++)
            for (int j = 0; j < B; j++)
            {
                double cosine = 0;
                for (int p = 0; p < P; p++)
                    cosine += (double)seen["text_embeds"][(i * P) + p] * seen["image_embeds"][(j * P) + p];
                double x = (Math.Exp(scale.Data[0]) * cosine) - 2.5, sigmoid = 1 / (1 + Math.Exp(-x));
                Assert.Equal(x, seen["logits_per_text"][(i * B) + j], 1e-4);
                expected -= Math.Log(i == j ? sigmoid : 1 - sigmoid) / B;
                double slope = (sigmoid - (i == j ? 1 : 0)) / B;
                ofBias += slope;
                ofScale += slope * Math.Exp(scale.Data[0]) * cosine;
            }
        Assert.True(B > 1);
        Assert.Equal(expected, loss.Data[0], 1e-5);
        Assert.Equal(ofBias, bias.Gradient.Data[0], 1e-5);
        Assert.Equal(ofScale, scale.Gradient.Data[0], 1e-4);
    }

    [Fact]
    public void A_clip_with_the_sigmoid_loss_is_saved_and_opened()
    {
        var config = (ClipConfig)ConfigFile.LoadAny(Path.Combine(Goldens.Zoo("clip"), "config.json"));
        Assert.False(config.SigmoidLoss);
        using var folder = new TempFolder();
        using (var model = new Clip(config with { SigmoidLoss = true }))
            AnyModel.Save(folder.Root, model);
        using var opened = AnyModel.Load(folder.Root);
        Assert.Equal(config with { SigmoidLoss = true }, opened.Architecture);
        string path = folder.File("config.json");
        File.WriteAllText(path, File.ReadAllText(path).Replace("\"sigmoid\"", "\"hinge\"", StringComparison.Ordinal));
        Assert.Contains("'contrastive_loss' is 'hinge'; supported: softmax, sigmoid",
            Assert.Throws<BadFileException>(() => ConfigFile.LoadAny(path)).Message, StringComparison.Ordinal);
    }

    /// <summary>In each stage its own parameters change and all others keep their bits; the loss falls in both.</summary>
    [Fact]
    public void Llava_learns_in_two_stages()
    {
        using var model = (Llava)AnyModel.Load(Goldens.Zoo("llava"));
        var batch = BatchOf("llava");
        Assert.Equal(["multi_modal_projector"], Changed(LlavaStage.Projector));
        Assert.Equal(["lm_head", "model", "multi_modal_projector"],
            Changed(LlavaStage.Instruction).Select(name => name.Replace("language_model", "model", StringComparison.Ordinal))
                .Distinct().Order(StringComparer.Ordinal));

        string[] Changed(LlavaStage stage)
        {
            var before = model.Parameters.All.ToDictionary(parameter => parameter.Name!,
                parameter => parameter.Data.ToArray());
            model.Begin(stage);
            using var optimizer = new AdamW(model.Parameters.All, new OptimizerOptions { WeightDecay = 0 });
            float first = 0, last = 0;
            for (int step = 0; step < 5; step++)
            {
                compute.NextStep();
                model.Parameters.ForgetGradients();
                var loss = model.Loss(compute, batch);
                compute.Tape!.Backward(compute, loss);
                optimizer.Step(compute, 1e-3, 1);
                (first, last) = (step == 0 ? loss.Data[0] : first, loss.Data[0]);
            }
            Assert.True(last < first, $"{stage}: {first} to {last}");
            return [.. model.Parameters.All.Where(parameter =>
                !parameter.Data.SequenceEqual(before[parameter.Name!]))
                .Select(parameter => parameter.Name!.Split('.')[0]).Distinct()];
        }
    }

    public void Dispose() => compute.Dispose();
}
