using System.Text.Json;

namespace Nano;

/// <summary>Golden cases of routers, mixtures of experts, and rotated parts of heads.</summary>
internal static class GoldenMixtureOps
{
    /// <summary>[B, H, T, D] and [B, T, H, D].</summary>
    private static readonly (int, int) Times = (1, 2);

    /// <summary>Runs one case; null if its op is not among these.</summary>
    public static Dictionary<string, float[]>? Run(GoldenOp test, Compute compute)
    {
        var run = new GoldenRun(test, compute);
        return test.Op switch
        {
            "router" => Router(run),
            "balance_loss" => Loss(run, logits => compute.BalanceLoss([logits],
                [compute.Router(logits, new RouterRule(run.Number("k", 1))).Experts],
                test.Inputs.Contains("mask") ? Mask(test) : null)),
            "balance_loss_sequence" => Loss(run, logits => compute.SequenceBalanceLoss([logits],
                [compute.Router(logits, new RouterRule(run.Number("k", 1), RouterScoring.Sigmoid)).Experts],
                RouterScoring.Sigmoid, logits.Shape[0])),
            "bias_update" => BiasUpdate(test),
            "z_loss" => Loss(run, logits => compute.RouterZLoss([logits])),
            "moe" => Mixture(run),
            "rope_partial" => Rope(run, null),
            "rope_longrope" => Rope(run, LongRope(test.Attributes)),
            _ => null,
        };
    }

    private static Dictionary<string, float[]> Router(GoldenRun run)
    {
        var attributes = run.Test.Attributes;
        string scoring = attributes.GetProperty("scoring").GetString()!;
        var bias = run.Optional("bias");
        bool isSigmoid = bias is not null;
        var rule = new RouterRule(run.Number("k", 1), isSigmoid ? RouterScoring.Sigmoid : RouterScoring.Softmax,
            isSigmoid ? attributes.GetProperty("norm_topk_prob").GetBoolean()
                : scoring.Contains("divided", StringComparison.Ordinal),
            attributes.TryGetProperty("routed_scaling_factor", out var factor) ? factor.GetSingle() : 1,
            run.Number("n_group", 1), run.Number("topk_group", 1));
        var (experts, weights) = run.Compute.Router(run.Input("logits"), rule, bias);
        run.Results["experts"] = [.. experts.Ids.ToArray().Select(e => (float)e)];
        run.Output("weights", weights);
        return run.Differentiate(weights);
    }

    private static Dictionary<string, float[]> Loss(GoldenRun run, Func<Tensor, Tensor> loss)
    {
        var y = loss(run.Input("logits"));
        run.Output("loss", y);
        return run.Differentiate(y);
    }

    private static Tensor Mask(GoldenOp test)
    {
        float[] mask = Array.ConvertAll(test.Integers("mask"), value => (float)value);
        return Tensor.From(new Shape(mask.Length), mask);
    }

    private static Dictionary<string, float[]> BiasUpdate(GoldenOp test)
    {
        float[] bias = test.Floats("bias");
        RouterBias.Update(Array.ConvertAll(test.Integers("load"), load => (long)load), bias,
            test.Attributes.GetProperty("rate").GetSingle());
        return new() { ["after"] = bias };
    }

    private static Dictionary<string, float[]> Mixture(GoldenRun run)
    {
        var c = run.Compute;
        Tensor x = run.Input("x"), gate = run.Input("gate"), w1 = run.Input("w1"), w3 = run.Input("w3"),
            w2 = run.Input("w2");
        int E = gate.Shape[0];
        var logits = c.Linear(x, gate, null);
        var (experts, weights) = c.Router(logits, new RouterRule(run.Number("k", 1)));
        var order = new Dispatch(c, experts, E);
        var rows = c.SelectRows(x, order.Tokens);
        var parts = new List<Tensor>();
        for (int e = 0; e < E; e++)
            if (order.Of(e) is var (start, count) && count > 0)
            {
                var mine = rows.SliceRows(start, count);
                var wide = c.SwiGlu(c.Linear(mine, Expert(w1, e), null), c.Linear(mine, Expert(w3, e), null));
                parts.Add(c.Linear(wide, Expert(w2, e), null));
            }
        var y = order.Combine(c, c.Concat(0, [.. parts]), weights);
        run.Output("y", y);
        run.Output("logits", logits);
        run.Results["experts"] = [.. experts.Ids.ToArray().Select(e => (float)e)];
        return run.Differentiate(y);

        static Tensor Expert(Tensor all, int e) =>
            all.SliceRows(e, 1).Reshape(new Shape(all.Shape[1], all.Shape[2]));
    }

    private static Dictionary<string, float[]> Rope(GoldenRun run, RopeScaling.LongRope? scaling)
    {
        var attributes = run.Test.Attributes;
        int rotated = run.Number("rotary_dim", 0), first = run.Number("first_position", 0);
        var x = run.Input("x", Times); // [B, T, H, D]
        int T = x.Shape[1], D = x.Shape[3];
        var positions = Tensor.FromIds(new Shape(T), [.. Enumerable.Range(first, T)]);
        var table = new RopeTable(rotated, attributes.GetProperty("theta").GetDouble(), scaling, 0)
            .For(run.Compute, positions, scaling is null ? first + T : scaling.Context);
        var y = run.Compute.Rope(x.Reshape(new Shape(x.Shape[0], T, x.Shape[2] * D)), table, RopePairing.RotateHalf,
            channels: new RotatedChannels(D)).Reshape(x.Shape);
        run.Output("y", y, Times);
        return run.Differentiate(y, Times);
    }

    private static RopeScaling.LongRope LongRope(JsonElement attributes)
    {
        double[] factors = [.. attributes.GetProperty("factors").EnumerateArray().Select(f => f.GetDouble())];
        return new([.. factors], [.. factors], attributes.GetProperty("original_context").GetInt32(),
            attributes.GetProperty("context").GetInt32());
    }
}
