using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano verify: compare a model, or single ops, with golden values.</summary>
internal static class VerifyVerb
{
    private static readonly Option<string?> Model =
        new("--model") { Description = "Folder of a model that has golden values" };
    private static readonly Option<string?> Golden =
        new("--golden") { Description = "The golden file (default: golden.safetensors in the model's folder)" };
    private static readonly Option<string?> Ops =
        new("--ops") { Description = "Folder of op cases: index.json and ops.safetensors" };
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("verify",
            "Check activations, losses, gradients, AdamW steps and greedy text against golden values.\n\nExample:\n "
            + " nano verify --model tests/goldens/gpt2_tiny --ops tests/goldens/ops")
        {
            Model, Golden, Ops, Threads, Json,
        };
        verb.Validators.Add(given =>
        {
            if (given.GetValue(Model) is null && given.GetValue(Ops) is null)
                given.AddError("nothing to verify: give --model FOLDER, --ops FOLDER, or both");
        });
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        var (model, ops) = (args.GetValue(Model), args.GetValue(Ops));
        using var compute = Common.NewCompute(args.GetValue(Threads));
        var human = Common.Human(args.GetValue(Json));
        var rows = new List<VerificationRow>();
        if (model is not null)
            rows.AddRange(ModelVerifier.Run(model,
                args.GetValue(Golden) ?? Path.Combine(model, "golden.safetensors"), compute));
        if (ops is not null)
            rows.AddRange(OpVerifier.Run(ops, compute));
        human.WriteLine($"{"tensor",-64} {"error",10} {"largest",10} {"PyTorch",10}");
        foreach (var row in rows)
            human.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{row.Name,-64} {row.Error,10:0.00e+00} {row.Scale,10:0.00e+00} {row.ReferenceError,10:0.00e+00} "
                + $"{(row.Pass ? "pass" : "FAIL")}"));
        int failed = rows.Count(row => !row.Pass);
        var worst = rows.MaxBy(row => row.Error / Math.Max(1e-30, (10 * row.ReferenceError) + (1e-6 * row.Scale)));
        human.WriteLine($"{rows.Count} tensors, {failed} failed");
        if (args.GetValue(Json))
            Common.PrintJson(new()
            {
                ["tensors"] = rows.Count,
                ["failed"] = failed,
                ["worst"] = worst is null ? null
                : new JsonFields
                {
                    ["name"] = worst.Name,
                    ["error"] = Common.Finite(worst.Error),
                    ["scale"] = worst.Scale,
                },
                ["pass"] = failed == 0
            });
        return failed == 0 ? 0 : Failure.Wrong;
    }
}
