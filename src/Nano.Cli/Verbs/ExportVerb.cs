using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano export: a model as an ONNX graph.</summary>
internal static class ExportVerb
{
    private static readonly Option<string> Model = new("--model") { Description = "Folder of a model or run, or a model file", Required = true };
    private static readonly Option<string> Out = new("--out") { Description = "The .onnx file; weights of more than 1 GB go to a second file, OUT.data", Required = true };
    private static readonly Option<bool> Gradients = new("--gradients") { Description = "Not the logits, but the loss and the gradient of every parameter: input_ids and targets to loss and grad.NAME" };
    private static readonly Option<bool> Cache = new("--cache")
    {
        Description = "Keys and values of earlier positions as inputs and outputs, as other programs expect them: input_ids, attention_mask, position_ids, past_key_values.N.key and .value "
            + "to logits, present.N.key and .value",
    };
    private static readonly Option<bool?> Float16 = Common.Word<bool>("--type", "Type of weights, keys and values: float32, or float16 for half the size, with matrix products of float16 (default: float32)", word => word switch
    {
        "float32" => false,
        "float16" => true,
        _ => throw new FormatException($"there is no type '{word}'; there are float32 and float16"),
    });
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("export", "Write a model as an ONNX graph (opset 17): input_ids to logits, batch and sequence open.\n\nExample:\n  nano export --model runs/shakespeare-char --out model.onnx")
        {
            Model, Out, Gradients, Cache, Float16, Json,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        bool json = args.GetValue(Json);
        string path = args.GetValue(Out)!;
        using var model = ModelLoader.Load(args.GetValue(Model)!).Model;
        var (nodes, bytes) = OnnxExporter.Export(model, path, new OnnxExportOptions { Gradients = args.GetValue(Gradients), Cache = args.GetValue(Cache), Float16 = args.GetValue(Float16) is true });
        Common.Human(json).WriteLine(string.Create(CultureInfo.InvariantCulture, $"{path}: {nodes:N0} nodes, {bytes:N0} bytes of weights"));
        if (json)
            Common.PrintJson(new { file = path, nodes, weight_bytes = bytes });
        return 0;
    }
}
