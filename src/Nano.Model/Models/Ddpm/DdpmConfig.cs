using System.Text.Json;

namespace Nano;

/// <summary>Denoising diffusion of points in the plane (Ho et al., 2020) as data.</summary>
public sealed record DdpmConfig : ArchitectureConfig
{
    private const int MaxSteps = 1 << 20;

    /// <summary>C: width of the MLP.</summary>
    public required int Channels { get; init; }

    /// <summary>Numbers that tell the step.</summary>
    public required int TimeChannels { get; init; }

    /// <summary>Steps from clean to noise.</summary>
    public required int Steps { get; init; }

    /// <summary>The growth of noise.</summary>
    public NoiseKind Noise { get; init; } = NoiseKind.Linear;

    /// <inheritdoc/>
    public override string ModelType => "ddpm_mlp";

    internal override int Depth => 1;

    internal override Model NewModel(Parameters parameters) => new Ddpm(this, parameters);

    /// <inheritdoc/>
    protected internal override string? Problem()
    {
        if (SizeChecks.Problem(("width of the MLP", Channels, MaxChannels),
            ("width of the time embedding", TimeChannels, MaxChannels), ("number of steps", Steps, MaxSteps))
            is { } problem)
            return problem;
        return TimeChannels % 2 == 0 ? null
            : $"the width of the time embedding is {TimeChannels}; it must be even, for sines and cosines";
    }

    /// <summary>Reads a config.json.</summary>
    /// <exception cref="BadFileException">A variant that is not supported, or a value of the wrong
    /// type.</exception>
    internal static DdpmConfig Read(ConfigJson file) => new()
    {
        Channels = file.RequiredInt("hidden_size"),
        TimeChannels = file.RequiredInt("time_embedding_size"),
        Steps = file.RequiredInt("num_train_timesteps"),
        Noise = file.String("beta_schedule") switch
        {
            null or "linear" => NoiseKind.Linear,
            "cosine" => NoiseKind.Cosine,
            var kind => throw file.Bad($"'beta_schedule' is {Quoted.Of(kind)}; supported: linear, cosine"),
        },
    };

    /// <inheritdoc/>
    protected override void WriteTo(Utf8JsonWriter json)
    {
        json.WriteString("model_type", ModelType);
        json.WriteNumber("hidden_size", Channels);
        json.WriteNumber("time_embedding_size", TimeChannels);
        json.WriteNumber("num_train_timesteps", Steps);
        json.WriteString("beta_schedule", Noise == NoiseKind.Linear ? "linear" : "cosine");
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Name, string Value)> Describe() =>
    [
        ("channels", Text(Channels)), ("time channels", Text(TimeChannels)), ("steps", Text(Steps)),
        ("noise", Noise.ToString()),
    ];
}
