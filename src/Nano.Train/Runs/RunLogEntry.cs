using System.Text.Json;
using System.Text.Json.Serialization;

namespace Nano;

/// <summary>
/// One line of a run's log. A number that is not finite is written as <c>null</c> (JSON has no NaN)
/// and read back as NaN.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(RunEntry), "run")]
[JsonDerivedType(typeof(StartEntry), "start")]
[JsonDerivedType(typeof(StepEntry), "step")]
[JsonDerivedType(typeof(EvalEntry), "eval")]
[JsonDerivedType(typeof(SpikeEntry), "spike")]
[JsonDerivedType(typeof(EndEntry), "end")]
[JsonDerivedType(typeof(ProfileEntry), "profile")]
public abstract record RunLogEntry;

/// <summary>The start of a run, or of a later session that resumes it.</summary>
/// <param name="Preset">Name of the recipe, such as <c>shakespeare-char</c>.</param>
/// <param name="Command">The command line that reproduces the run.</param>
/// <param name="Started">Wall-clock time of the start.</param>
/// <param name="Config">Settings by name, in the order in which the report shows them.</param>
/// <param name="Machine">The machine.</param>
/// <param name="Corpus">Name of the text it trained on.</param>
/// <param name="Parameters">Number of trained parameters.</param>
public sealed record RunEntry(
    string Preset,
    string Command,
    DateTimeOffset Started,
    OrderedDictionary<string, string> Config,
    RunMachine Machine,
    string Corpus,
    long Parameters) : RunLogEntry;

/// <summary>The machine a run used.</summary>
/// <param name="Cpu">Name of the processor.</param>
/// <param name="Threads">Worker threads in use.</param>
/// <param name="Simd">Instruction set in use.</param>
/// <param name="PeakGflops">Measured peak of all threads together, in GFLOP/s; not known where
/// another device took the steps.</param>
/// <param name="Device">The device, if it was not Nano's own kernels.</param>
public sealed record RunMachine(string Cpu, int Threads, string Simd, double PeakGflops,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Device = null);

/// <summary>The model that a run started from, where it did not start from random weights.</summary>
/// <param name="From">The path of the model, as the user named it.</param>
/// <param name="Sha256">Digest of its weights as float32, see <see cref="ModelStart.LoadInto"/>.</param>
/// <param name="ValLoss">Its loss over the whole validation split, in nats per token.</param>
public sealed record StartEntry(string From, string Sha256, double ValLoss) : RunLogEntry;

/// <summary>One training step, or the last of a logging interval.</summary>
/// <param name="Step">Steps done, counted from 1.</param>
/// <param name="TrainLoss">Loss of the batch, in nats per token.</param>
/// <param name="LearningRate">Learning rate of this step.</param>
/// <param name="GradNorm">L2 norm of the whole gradient before clipping.</param>
/// <param name="Milliseconds">Wall-clock time of one step.</param>
/// <param name="TokensPerSecond">Training tokens per second.</param>
/// <param name="Gflops">Arithmetic of the model done, in GFLOP/s.</param>
/// <param name="GradNorms">Norm of the gradient of each part of the model (embed, block0 ...);
/// absent from most steps, and from logs before these were kept.</param>
/// <param name="ExpertLoads">Tokens of each expert of each block that is a mixture; likewise.</param>
public sealed record StepEntry(
    int Step,
    double TrainLoss,
    double LearningRate,
    double GradNorm,
    double Milliseconds,
    double TokensPerSecond,
    double Gflops,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        OrderedDictionary<string, double>? GradNorms = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        OrderedDictionary<string, long[]>? ExpertLoads = null) : RunLogEntry;

/// <summary>An evaluation between steps.</summary>
/// <param name="Step">Steps done so far.</param>
/// <param name="TrainLoss">Loss on training text, in nats per token.</param>
/// <param name="ValLoss">Loss on validation text, in nats per token.</param>
/// <param name="Sample">Text generated at this point; empty if none was.</param>
/// <param name="Health">Measurements of the model and the process; absent from older logs.</param>
public sealed record EvalEntry(
    int Step,
    double TrainLoss,
    double ValLoss,
    string Sample,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] RunHealth? Health = null) : RunLogEntry;

/// <summary>Measurements that reveal a sick run before its loss does.</summary>
/// <param name="MatrixNorm">L2 norm of all weights of two or more dimensions, which decay.</param>
/// <param name="VectorNorm">L2 norm of all biases and norm weights, which do not.</param>
/// <param name="ResidentBytes">Memory of the process.</param>
public sealed record RunHealth(double MatrixNorm, double VectorNorm, long ResidentBytes)
{
    /// <summary>Of a model as it is now.</summary>
    public static RunHealth Of(LanguageModel model, Compute compute)
    {
        double matrices = 0, vectors = 0;
        foreach (var parameter in model.Parameters.All)
        {
            double squares = compute.SumOfSquares(parameter);
            (matrices, vectors) = parameter.Shape.Rank >= 2 ? (matrices + squares, vectors)
                : (matrices, vectors + squares);
        }
        return new RunHealth(Math.Sqrt(matrices), Math.Sqrt(vectors), Environment.WorkingSet);
    }
}

/// <summary>The end of a run.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="ValLoss">Loss over the whole validation split, in nats per token.</param>
/// <param name="Seconds">Wall-clock time of training and evaluation.</param>
/// <param name="Tokens">Training tokens seen.</param>
/// <param name="Reason"><c>done</c>, <c>interrupted</c> or another word for why it ended.</param>
public sealed record EndEntry(int Step, double ValLoss, double Seconds, long Tokens, string Reason) : RunLogEntry;

/// <summary>
/// The time of the steps by kind of work, written after the end of a profiled run.
/// </summary>
/// <param name="Steps">Steps measured.</param>
/// <param name="MsPerStep">Mean time of one.</param>
/// <param name="Rows">Kinds of work, the longest first.</param>
public sealed record ProfileEntry(int Steps, double MsPerStep, IReadOnlyList<ProfileRow> Rows) : RunLogEntry;

/// <summary>
/// Strict on purpose: a missing, unknown or repeated key is an error, so that rewriting a log on
/// resume loses nothing. What was added since the first logs (grad_norms, expert_loads, health, profile) is
/// optional: old logs read as before, and come out of a rewrite as they went in.
/// </summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true,
    AllowDuplicateProperties = false,
    Converters = [typeof(NullForNaN)])]
[JsonSerializable(typeof(RunLogEntry))]
internal sealed partial class RunLogJson : JsonSerializerContext;

internal sealed class NullForNaN : JsonConverter<double>
{
    public override bool HandleNull => true;

    public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.Null ? double.NaN : reader.GetDouble();

    public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options)
    {
        if (double.IsFinite(value)) writer.WriteNumberValue(value);
        else writer.WriteNullValue();
    }
}
