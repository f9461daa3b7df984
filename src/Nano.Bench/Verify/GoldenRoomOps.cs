using System.Globalization;

namespace Nano;

/// <summary>
/// Golden cases of functions of one variable, gates, norms of other forms, the contrastive loss,
/// sinusoids, diffusion and sounds.
/// </summary>
internal static class GoldenRoomOps
{
    /// <summary>Runs one case; null if its op is not among these.</summary>
    public static Dictionary<string, float[]>? Run(GoldenOp test, Compute compute)
    {
        Dictionary<string, float[]> Function(ActivationKind kind, float? parameter = null) =>
            GoldenOpRunner.Differentiate(test, compute, ["x"], x => compute.Activation(kind, x[0], parameter));

        return test.Op switch
        {
            "relu" => Function(ActivationKind.Relu),
            "relu_squared" => Function(ActivationKind.ReluSquared),
            "tanh" => Function(ActivationKind.Tanh),
            "sigmoid" => Function(ActivationKind.Sigmoid),
            "softplus" => Function(ActivationKind.Softplus),
            "quick_gelu" => Function(ActivationKind.QuickGelu),
            "elu_plus_one" => Function(ActivationKind.EluPlusOne),
            "softcap" => Function(ActivationKind.SoftCap, test.Attributes.GetProperty("cap").GetSingle()),
            "geglu" => GoldenOpRunner.Differentiate(test, compute, ["gate", "up"],
                x => compute.Gated(ActivationKind.GeluTanh, x[0], x[1])),
            "l2_normalize" => GoldenOpRunner.Differentiate(test, compute, ["x"], x => compute.L2Normalize(x[0])),
            "rmsnorm_plus_one" => GoldenOpRunner.Differentiate(test, compute, ["x", "w"],
                x => compute.RmsNormPlusOne(x[0], x[1], Epsilon(test))),
            "gated_rmsnorm" => GoldenOpRunner.Differentiate(test, compute, ["x", "gate", "w"],
                x => compute.GatedRmsNorm(x[0], x[1], x[2], Epsilon(test))),
            "group_norm" => GoldenOpRunner.Differentiate(test, compute, ["x", "w", "b"],
                x => compute.GroupNorm(x[0], x[1], x[2], test.Attributes.GetProperty("groups").GetInt32(),
                    Epsilon(test))),
            "batch_norm" => BatchNorm(test, compute),
            "contrastive_loss" => GoldenOpRunner.Differentiate(test, compute, ["a", "b", "logit_scale"],
                x => compute.ContrastiveLoss(x[0], x[1], x[2]), output: "loss"),
            "sinusoidal" => Positions(test),
            "timestep_embedding" => Steps(test),
            "ddpm_schedule" => new()
            {
                ["beta"] = [.. Schedule(test).Betas.Select(value => (float)value)],
                ["alpha_bar"] = [.. Schedule(test).Signals.Select(value => (float)value)],
            },
            "diffusion_steps" => StepsBack(test),
            "mel_filters" => new()
            {
                ["y"] = MelFilters.Slaney(Number(test, "rate"), Number(test, "fft"), Number(test, "mels")).Data
                    .ToArray(),
            },
            "log_mel" => new()
            {
                ["y"] = new LogMel(test.ShapeOf("y")[0], Number(test, "rate"), Number(test, "fft"),
                    Number(test, "hop")).Of(compute, test.Floats("x"), Number(test, "rate")).Data.ToArray(),
            },
            _ => null,
        };
    }

    private static int Number(GoldenOp test, string name) => test.Attributes.GetProperty(name).GetInt32();

    private static Dictionary<string, float[]> Positions(GoldenOp test)
    {
        var shape = test.ShapeOf("y");
        return new()
        {
            ["y"] = Sinusoids.Interleaved(shape[0], shape[1]),
            ["whisper"] = Sinusoids.SinesFirst(shape[0], shape[1]),
        };
    }

    private static Dictionary<string, float[]> Steps(GoldenOp test)
    {
        int channels = test.Attributes.GetProperty("size").GetInt32();
        int[] steps = test.Integers("t");
        float[] values = new float[steps.Length * channels];
        Sinusoids.CosinesFirst(steps, channels, values);
        return new() { ["y"] = values };
    }

    private static NoiseSchedule Schedule(GoldenOp test) => new(
        test.Attributes.GetProperty("kind").GetString() == "cosine" ? NoiseKind.Cosine : NoiseKind.Linear,
        test.Attributes.GetProperty("steps").GetInt32());

    /// <summary>
    /// Outputs ddpmT and ddimT: from step T to the one before it, of the last step without
    /// randomness five before it.
    /// </summary>
    private static Dictionary<string, float[]> StepsBack(GoldenOp test)
    {
        var schedule = Schedule(test);
        var results = new Dictionary<string, float[]>();
        foreach (string name in test.Expected)
        {
            int t = int.Parse(name.AsSpan(4), CultureInfo.InvariantCulture);
            float[] x = test.Floats("x");
            if (name.StartsWith("ddpm", StringComparison.Ordinal))
                schedule.StepBack(x, test.Floats("eps"), test.Floats("z"), t);
            else
                schedule.JumpBack(x, test.Floats("eps"), t, t == schedule.Betas.Count - 1 ? t - 5 : t - 1);
            results[name] = x;
        }
        return results;
    }

    private static Dictionary<string, float[]> BatchNorm(GoldenOp test, Compute compute)
    {
        Tensor mean = GoldenOpRunner.Floats(test, "running_mean"),
            variance = GoldenOpRunner.Floats(test, "running_var");
        bool training = test.Attributes.GetProperty("training").GetBoolean();
        float momentum = test.Attributes.GetProperty("momentum").GetSingle();
        var results = GoldenOpRunner.Differentiate(test, compute, ["x", "w", "b"],
            x => compute.BatchNorm(x[0], x[1], x[2], (mean, variance), training, Epsilon(test), momentum));
        results["running_mean_after"] = mean.Data.ToArray();
        results["running_var_after"] = variance.Data.ToArray();
        return results;
    }

    private static float Epsilon(GoldenOp test) => GoldenOpRunner.Epsilon(test);
}
