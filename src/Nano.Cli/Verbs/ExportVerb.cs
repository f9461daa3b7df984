using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano export: a model as an ONNX graph.</summary>
internal static class ExportVerb
{
    private static readonly Option<string> Model =
        new("--model") { Description = "Folder of a model or run, or a model file", Required = true };
    private static readonly Option<string> Out =
        new("--out")
        {
            Description = "The .onnx file; weights of more than 1 GB go to a second file, OUT.data",
            Required = true
        };
    private static readonly Option<bool> Gradients =
        new("--gradients")
        {
            Description = "Export the loss and the gradient of every parameter instead of the logits: input_ids and "
                + "targets to loss and grad.NAME"
        };
    private static readonly Option<bool> Cache = new("--cache")
    {
        Description = "Add the keys and values of earlier positions as inputs and outputs, as other programs expect "
            + "them: input_ids, attention_mask, position_ids, past_key_values.N.key and .value "
            + "to logits, present.N.key and .value",
    };
    private static readonly Option<Precision?> Type = Common.Precision("--type",
        "Type of weights, keys and values: float32, or float16 for half the size, with matrix products of float16 "
        + "(default: float32)");
    private static readonly Option<bool> Train = new("--train")
    {
        Description = "Export a whole training step, with weights and AdamW's moments as inputs and outputs: "
            + "input_ids, targets, learning_rate, mean_correction 1/(1-beta1^t), root_correction 1/sqrt(1-beta2^t), "
            + "clip_norm, "
            + "NAME, NAME.mean, NAME.square to loss, gradient_norm and next.NAME ...",
    };
    private static readonly Option<bool> Split =
        new("--split")
        {
            Description =
            "With --train: two graphs, OUT.gradients.onnx and OUT.update.onnx, so that the gradients of several "
            + "processes can be summed in between"
        };
    private static readonly Option<double?> Beta1 =
        Common.Number("--beta1", "With --train: decay of the mean of gradients (default: 0.9)");
    private static readonly Option<double?> Beta2 =
        Common.Number("--beta2", "With --train: decay of the mean of squared gradients (default: 0.95)");
    private static readonly Option<double?> WeightDecay =
        Common.Number("--weight-decay", "With --train: decay of matrices and embeddings (default: 0.1)");
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("export",
            "Write a model as an ONNX graph (opset 17): input_ids to logits, with any batch size and "
            + "length.\n\nExample:\n  nano export --model runs/shakespeare-char --out model.onnx")
        {
            Model, Out, Gradients, Cache, Type, Train, Split, Beta1, Beta2, WeightDecay, Json,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        bool json = args.GetValue(Json);
        string path = args.GetValue(Out)!;
        if (args.GetValue(Train)
            && (args.GetValue(Gradients) || args.GetValue(Cache) || args.GetValue(Type) is Precision.Float16))
            throw new NanoException("--train does not go with --gradients, --cache or --type float16",
                "they are graphs of their own");
        if (args.GetValue(Split) && !args.GetValue(Train))
            throw new NanoException("--split goes with --train");
        using var model = ModelLoader.LoadModel(args.GetValue(Model)!);
        if (args.GetValue(Train))
            return RunTrain(args, model, path, json);
        var (nodes, bytes) = OnnxExporter.Export(model, path,
            new OnnxExportOptions
            {
                Gradients = args.GetValue(Gradients),
                Cache = args.GetValue(Cache),
                Float16 = args.GetValue(Type) is Precision.Float16
            });
        Common.Human(json).WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{path}: {nodes:N0} nodes, {bytes:N0} bytes of weights"));
        if (json)
            Common.PrintJson(new() { ["file"] = path, ["nodes"] = nodes, ["weight_bytes"] = bytes });
        return 0;
    }

    private static int RunTrain(ParseResult args, LanguageModel model, string path, bool json)
    {
        var usual = new OptimizerOptions();
        var optimizer = usual with
        {
            Beta1 = args.GetValue(Beta1) ?? usual.Beta1,
            Beta2 = args.GetValue(Beta2) ?? usual.Beta2,
            WeightDecay = args.GetValue(WeightDecay) ?? usual.WeightDecay
        };
        optimizer.Validate();
        var files = OnnxExporter.ExportTraining(model, path, optimizer, args.GetValue(Split));
        foreach (var (file, nodes) in files)
            Common.Human(json).WriteLine(string.Create(CultureInfo.InvariantCulture, $"{file}: {nodes:N0} nodes"));
        if (json)
            Common.PrintJson(new()
            {
                ["files"] = files.Select(one => new JsonFields { ["file"] = one.File, ["nodes"] = one.Nodes }),
            });
        return 0;
    }
}
