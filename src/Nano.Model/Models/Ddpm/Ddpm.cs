namespace Nano;

/// <summary>
/// Denoising diffusion (Ho et al., "Denoising Diffusion Probabilistic Models", 2020) of points in the plane. Noise is
/// mixed into a point, x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) noise, and an MLP predicts it from x_t and the step t:
/// out(silu(fc2(silu(fc1([x_t, t]))))). The loss is the mean squared error of the noise. New points come from pure noise,
/// of which the predicted noise is removed step by step.
/// <para>A batch: x0 [B, 2], noise [B, 2], timesteps [B].</para>
/// </summary>
public sealed class Ddpm : Model
{
    private const int Dimensions = 2;

    private readonly DdpmConfig config;
    private readonly Linear first, second, output;

    /// <summary>A model with parameters that are zero.</summary>
    public Ddpm(DdpmConfig config) : this(config, new Parameters())
    {
    }

    internal Ddpm(DdpmConfig config, Parameters parameters) : base(config, parameters)
    {
        this.config = config;
        Schedule = new(config.Noise, config.Steps);
        ParameterFacts facts = new(ParameterRole.Inner, ModelComponent.Mlp);
        first = Linear.Declare(parameters, "fc1", facts, Dimensions + config.TimeChannels, config.Channels, bias: true);
        second = Linear.Declare(parameters, "fc2", facts, config.Channels, config.Channels, bias: true);
        output = Linear.Declare(parameters, "out", new(ParameterRole.Head, ModelComponent.Head), config.Channels,
            Dimensions, bias: true);
    }

    /// <summary>The steps of noise.</summary>
    public NoiseSchedule Schedule { get; }

    /// <summary>Normal with the variance of PyTorch's linear layers, 1 / (3 inputs); biases zero.</summary>
    protected override void Initialize(Tensor parameter, ulong key, ulong stream)
    {
        base.Initialize(parameter, key, stream);
        if (parameter.Shape.Rank == 2)
            Philox.Normal(key, stream, 1 / Math.Sqrt(3.0 * parameter.Shape[1]), parameter.Data);
    }

    /// <summary>The predicted noise in points [B, 2] at their steps [B].</summary>
    public Tensor Predict(Compute c, Tensor points, Tensor steps, Action<string, Tensor>? watch = null)
    {
        var time = c.New(new Shape(points.Shape[0], config.TimeChannels));
        Sinusoids.CosinesFirst(steps.Ids, config.TimeChannels, time.Data);
        watch?.Invoke("time", time);
        var x = c.Activation(ActivationKind.Silu, first.Forward(c, c.Concat(1, points, time)));
        return output.Forward(c, c.Activation(ActivationKind.Silu, second.Forward(c, x)));
    }

    /// <inheritdoc/>
    public override Tensor Loss(Compute c, Batch batch, Action<string, Tensor>? watch = null)
    {
        Tensor clean = batch["x0"], noise = batch["noise"], steps = batch["timesteps"];
        var noisy = c.New(clean.Shape);
        for (int b = 0; b < steps.Length; b++)
        {
            int t = steps.Ids[b], at = b * Dimensions;
            if ((uint)t >= (uint)config.Steps)
                throw new NanoException($"step {t} of point {b} is not below {config.Steps}");
            Schedule.AddNoise(clean.Data.Slice(at, Dimensions), noise.Data.Slice(at, Dimensions), t,
                noisy.Data.Slice(at, Dimensions));
        }
        watch?.Invoke("xt", noisy);
        var predicted = Predict(c, noisy, steps, watch);
        watch?.Invoke("prediction", predicted);
        return c.MeanSquaredError(predicted, noise);
    }

    /// <summary>New points [count, 2], a pure function of the seed.</summary>
    public float[] Sample(Compute c, int count, ulong seed)
    {
        ulong key = Philox.Key(seed, (ulong)RandomPurpose.DiffusionNoise);
        float[] points = new float[count * Dimensions], fresh = new float[points.Length];
        Philox.Normal(key, (ulong)config.Steps, 1, points);
        for (int t = config.Steps - 1; t >= 0; t--)
        {
            c.NextStep();
            int[] steps = new int[count];
            steps.AsSpan().Fill(t);
            var predicted = c.WithoutTape(() => Predict(c, Tensor.From(new Shape(count, Dimensions), points),
                Tensor.FromIds(new Shape(count), steps)));
            Philox.Normal(key, (ulong)t, 1, fresh);
            Schedule.StepBack(points, predicted.Data, fresh, t);
        }
        return points;
    }
}
