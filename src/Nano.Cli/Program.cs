using System.CommandLine;
using Nano.Cli;

// The one executable. Each verb is a file of its own in Verbs/, and none has logic that a library could hold.
var root = new RootCommand("Nano: train and run GPT models on the CPU, from text to tokens to weights to text.\n\nExample:\n  nano train shakespeare-char")
{
    TrainVerb.Create(), GenerateVerb.Create(), ChatVerb.Create(), EvalVerb.Create(), SweepVerb.Create(), TokenizeVerb.Create(), DataVerb.Create(), PullVerb.Create(), ConvertVerb.Create(), ExportVerb.Create(), VerifyVerb.Create(),
    InfoVerb.Create(), PlanVerb.Create(), BenchVerb.Create(), RunsVerb.Create(),
};
root.Options.Add(Common.Debug);

var parsed = root.Parse(args);
if (Failure.IsWrong(parsed))
    return Failure.Usage(parsed);
try
{
    return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
}
catch (Exception e)
{
    return Failure.Report(e, parsed.GetValue(Common.Debug));
}
