using System.Text.Json;

namespace Nano;

/// <summary>Attention with its options and in other forms, buckets of distances, and slopes.</summary>
internal static partial class GoldenOpRunner
{
    private static Dictionary<string, float[]> CausalAttention(GoldenOp test, Compute compute)
    {
        var attributes = test.Attributes;
        int heads = attributes.GetProperty("heads").GetInt32(),
            keyHeads = attributes.GetProperty("kv_heads").GetInt32();
        float scale = attributes.GetProperty("scale").GetSingle();
        return Differentiate(test, compute, ["q", "k", "v"],
            x => compute.CausalAttention(x[0], x[1], x[2], heads, keyHeads, scale), heads: true);
    }

    private static Dictionary<string, float[]> Attention(GoldenOp test, Compute compute)
    {
        var attributes = test.Attributes;
        float Number(string name) => attributes.TryGetProperty(name, out var value) ? value.GetSingle() : 0;
        float[] Numbers(string name) =>
            attributes.TryGetProperty(name, out var list) ? [.. list.EnumerateArray().Select(x => x.GetSingle())] : [];
        float[] slopes = Numbers("alibi_slopes"), lengths = Numbers("lengths");
        var options = new AttentionOptions(test.ShapeOf("q")[1], test.ShapeOf("k")[1])
        {
            Scale = Number("scale"),
            IsCausal = attributes.GetProperty("mask").GetString() == "causal",
            Window = (int)Number("window"),
            Sinks = attributes.TryGetProperty("sinks", out var sinks) ? sinks.GetInt32() : 0,
            SoftCap = Number("softcap"),
            Slopes = slopes.Length == 0 ? null : Tensor.From(new Shape(slopes.Length), slopes),
            Lengths = lengths.Length == 0 ? null
                : Tensor.FromIds(new Shape(lengths.Length), Array.ConvertAll(lengths, length => (int)length)),
        };
        string[] names = ["q", "k", "v", .. test.Inputs.Where(name => name is "table" or "sink")];
        return Differentiate(test, compute, names, x => compute.Attention(x[0], x[1], x[2], options with
        {
            RelativeBias = test.Inputs.Contains("table")
                ? Relative(attributes.GetProperty("relative_bias"), x[3]) : null,
            LearnedSink = test.Inputs.Contains("sink") ? x[^1] : null,
        }), heads: true);
    }

    private static Dictionary<string, float[]> DifferentialAttention(GoldenOp test, Compute compute)
    {
        string[] names = ["q1", "k1", "q2", "k2", "v", "w", "lq1", "lk1", "lq2", "lk2"];
        var options = new AttentionOptions(test.ShapeOf("q1")[1], test.ShapeOf("k1")[1])
        {
            Scale = test.Attributes.GetProperty("scale").GetSingle(),
        };
        float[] raw = [];
        var results = Differentiate(test, compute, names, x =>
        {
            var (y, difference) = compute.DifferentialAttention((x[0], x[1]), (x[2], x[3]), x[4],
                new(x[6], x[7], x[8], x[9], test.Attributes.GetProperty("lambda_init").GetSingle()), x[5], options);
            raw = SplitHeads(difference.Data, test.ShapeOf("raw"));
            return y;
        }, heads: true);
        results["raw"] = raw;
        return results;
    }

    /// <summary>Latent attention in both forms; the key that heads share is turned already.</summary>
    private static Dictionary<string, float[]> LatentAttention(GoldenOp test, Compute compute)
    {
        int H = test.ShapeOf("q_nope")[1], B = test.ShapeOf("c")[0], T = test.ShapeOf("c")[1];
        int Number(string name) => test.Attributes.GetProperty(name).GetInt32();
        var sizes = new LatentSizes(H, Number("rank"), Number("qk_nope"), Number("qk_rope"), Number("v"));
        var options = new AttentionOptions(H, H) { Scale = (float)(1 / Math.Sqrt(sizes.Plain + sizes.Rotary)) };
        float[] absorbed = [];
        var results = Differentiate(test, compute, ["q_nope", "q_rope", "c", "k_rope", "w"], x =>
        {
            var q = compute.Concat(3, x[0].Reshape(new Shape(B, T, H, sizes.Plain)),
                x[1].Reshape(new Shape(B, T, H, sizes.Rotary)))
                    .Reshape(new Shape(B, T, H * (sizes.Plain + sizes.Rotary)));
            var latents = compute.Attention(compute.AbsorbedQueries(sizes, q, x[4]), compute.Concat(2, x[2], x[3]),
                x[2], options with { KeyHeads = 1 });
            absorbed = SplitHeads(compute.AbsorbedValues(sizes, latents, x[4]).Data, test.ShapeOf("y_absorbed"));
            return compute.LatentAttention(sizes, q, compute.Linear(x[2], x[4], null), x[3], options);
        }, heads: true);
        results["y_absorbed"] = absorbed;
        return results;
    }

    private static RelativeBias Relative(JsonElement bias, Tensor table) =>
        bias.GetProperty("buckets").GetInt32() == table.Shape[0]
            ? new RelativeBias(table, bias.GetProperty("bidirectional").GetBoolean(),
                bias.GetProperty("max_distance").GetInt32())
            : throw new ArgumentException($"relative bias {bias} does not fit the table {table}");

    private static Dictionary<string, float[]> Buckets(GoldenOp test)
    {
        int buckets = test.Attributes.GetProperty("buckets").GetInt32(),
            maxDistance = test.Attributes.GetProperty("max_distance").GetInt32();
        bool isBidirectional = test.Attributes.GetProperty("bidirectional").GetBoolean();
        return new()
        {
            ["y"] = Array.ConvertAll(test.Integers("relative"),
                distance => (float)RelativeBias.Bucket(distance, buckets, isBidirectional, maxDistance))
        };
    }

    private static Dictionary<string, float[]> Slopes(GoldenOp test) =>
        new() { ["y"] = Alibi.Slopes(test.Attributes.GetProperty("heads").GetInt32()) };
}
