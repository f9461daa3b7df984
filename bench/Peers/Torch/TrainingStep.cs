using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Nano.Peers;

using Tensor = TorchSharp.torch.Tensor;

/// <summary>
/// A training step of GPT-2 in libtorch: forward with its fused causal attention, cross-entropy, backward, clipping
/// of the norm to 1, its fused AdamW. Weights, gradients and moments are all of one type.
/// </summary>
internal sealed class TrainingStep
{
    private const int ComparedSteps = 3;
    private const double ClipNorm = 1;

    private readonly TrainingTask task;
    private readonly Gpt2Config config;
    private readonly TrainOptions options;
    private readonly BatchLoader loader;
    private readonly Dictionary<string, Parameter> parameters = [];
    private readonly Embedding tokenTable;
    private readonly FusedAdamW update;
    private readonly Nano.Tensor ids, targets;

    private TrainingStep(TrainingTask task, ScalarType type)
    {
        (this.task, config, options, loader) = (task, task.Config, task.Options, task.NewLoader());
        var decays = new List<bool>();
        using (var model = task.NewModel())
            foreach (var parameter in model.Parameters.All)
            {
                using var copy = tensor(parameter.Data.ToArray(),
                    [.. parameter.Shape.ToArray().Select(size => (long)size)], ScalarType.Float32);
                parameters.Add(parameter.Name!, new Parameter(copy.to_type(type, copy: true)));
                decays.Add(parameter.Parameter?.Decays ?? parameter.Shape.Rank >= 2);
            }
        tokenTable = nn.Embedding(1, 1);
        tokenTable.weight = parameters["wte.weight"];
        update = new FusedAdamW([.. parameters.Values], decays, options.Optimizer, options.LearningRate);
        ids = new Nano.Tensor(new Shape(task.Batch, task.Time), DType.Int32);
        targets = new Nano.Tensor(new Shape(task.Batch, task.Time), DType.Int32);
    }

    /// <summary>The work of a task in one type of number.</summary>
    public static Work Create(string about, TrainingTask task, ScalarType type)
    {
        var step = new TrainingStep(task, type);
        long number = 0;
        return new Work($"{about}, all in {type}, {FusedAdamW.About}",
            () => [.. Enumerable.Range(0, ComparedSteps).Select(_ => step.Run(number++))], () => step.Run(number++));
    }

    /// <summary>One step; returns its loss.</summary>
    private double Run(long number)
    {
        using var scope = NewDisposeScope();
        loader.Training(options.Seed, number, ids, targets);
        foreach (var parameter in parameters.Values)
            parameter.grad = null;
        var loss = Loss(tensor(Array.ConvertAll(ids.Ids.ToArray(), id => (long)id), [task.Batch, task.Time]),
            tensor(Array.ConvertAll(targets.Ids.ToArray(), id => (long)id), [(long)task.Batch * task.Time]));
        loss.backward();
        nn.utils.clip_grad_norm_(parameters.Values, ClipNorm);
        update.Step();
        return loss.to_type(ScalarType.Float32).item<float>();
    }

    private Tensor Loss(Tensor tokens, Tensor wanted)
    {
        long B = task.Batch, T = task.Time, C = config.Channels;
        using var scope = NewDisposeScope();
        var x = tokenTable.forward(tokens) + parameters["wpe.weight"].slice(0, 0, T, 1); // [B, T, C]
        for (int i = 0; i < config.Layers; i++)
        {
            var heads = Linear($"h.{i}.attn.c_attn", Norm($"h.{i}.ln_1", x)).split(C, 2)
                .Select(part => part.view(B, T, config.Heads, C / config.Heads).transpose(1, 2)).ToArray();
            var attended = scaled_dot_product_attention(heads[0], heads[1], heads[2], is_casual: true);
            x += Linear($"h.{i}.attn.c_proj", attended.transpose(1, 2).reshape(B, T, C));
            var wide = gelu(Linear($"h.{i}.mlp.c_fc", Norm($"h.{i}.ln_2", x)),
                config.Gelu == GeluForm.Tanh ? GELU.Approximate.tanh : GELU.Approximate.none, inplace: false);
            x += Linear($"h.{i}.mlp.c_proj", wide);
        }
        var logits = linear(Norm("ln_f", x), parameters["wte.weight"]);
        return cross_entropy(logits.view(B * T, config.VocabSize), wanted).MoveToOuterDisposeScope();
    }

    private Tensor Linear(string name, Tensor x) =>
        linear(x, parameters[name + ".weight"], parameters.GetValueOrDefault(name + ".bias"));

    private Tensor Norm(string name, Tensor x) => layer_norm(x, [config.Channels],
        parameters[name + ".weight"], parameters.GetValueOrDefault(name + ".bias"), config.LayerNormEpsilon);
}
