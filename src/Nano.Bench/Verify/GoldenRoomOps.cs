namespace Nano;

/// <summary>
/// Golden cases of functions of one variable, gates, norms of other forms and the contrastive loss.
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
            _ => null,
        };
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
