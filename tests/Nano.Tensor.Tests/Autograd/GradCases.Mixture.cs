namespace Nano.Tests;

/// <summary>Routers, the way of tokens through experts, and the losses of routers.</summary>
internal static partial class GradCases
{
    private const int Tokens = 7, Experts = 6, Chosen = 2;

    // Chosen by hand: an expert that nobody chose (4), one that most did (0).
    private static readonly int[] Choices = [0, 3, 1, 0, 0, 2, 5, 0, 3, 1, 0, 5, 2, 3];

    private static Tensor ChoiceIds => Tensor.FromIds(new Shape(Tokens, Chosen), Choices);

    private static IEnumerable<GradCase> Mixtures()
    {
        foreach (bool normalises in (bool[])[true, false])
            foreach (var scoring in Enum.GetValues<RouterScoring>())
                yield return Router($"router, {scoring}, {(normalises ? "divided by the sum" : "undivided")}",
                    new RouterRule(Chosen, scoring, normalises, 2.5f, Groups: 3, GroupsChosen: 2));
        yield return new("rows of experts", typeof(GatherOp), r => [r.Normal(Tokens, 5)],
            (c, x) => c.SelectRows(x[0], new Dispatch(c, ChoiceIds, Experts).Tokens),
            x => [.. SortedRows().SelectMany(row => x[0].Skip(row.Token * 5).Take(5))], 0, 2);
        yield return new("combine", typeof(ScatterAddOp), r => [r.Normal(Tokens * Chosen, 5), r.Normal(Tokens, Chosen)],
            (c, x) => new Dispatch(c, ChoiceIds, Experts).Combine(c, x[0], x[1]), Combined, 4, 8);
        yield return new("experts that choose", typeof(ScatterAddOp),
            r => [r.Normal(3 * Experts, 5), r.Normal(Tokens, Experts)],
            (c, x) => new ExpertChoice(c, x[1], 3).Combine(c, x[0], x[1]), Chosen3, 4, 8);
        yield return new("balance loss", typeof(BalanceLossOp),
            r => [r.Normal(Tokens, Experts), r.Normal(Tokens, Experts)],
            (c, x) => c.BalanceLoss(x, [ChoiceIds, ChoiceIds]), x => Balance(x, [.. Enumerable.Range(0, Tokens)]), 4,
            8);
        yield return new("balance loss of tokens that a mask leaves", typeof(BalanceLossOp),
            r => [r.Normal(Tokens, Experts), r.Normal(Tokens, Experts)],
            (c, x) => c.BalanceLoss(x, [ChoiceIds, ChoiceIds], Tensor.From(new Shape(Tokens), [1, 1, 0, 1, 0, 1, 1])),
            x => Balance(x, [0, 1, 3, 5, 6]), 4, 8);
        foreach (var scoring in Enum.GetValues<RouterScoring>())
            yield return new($"sequence balance loss, {scoring}", typeof(SequenceBalanceLossOp),
                r => [r.Normal(6, Experts), r.Normal(6, Experts)],
                (c, x) => c.SequenceBalanceLoss(x, [SequenceChoices, SequenceChoices], scoring, 3),
                x => SequenceBalance(x, scoring), 4, 8);
        yield return new("router z-loss", typeof(RouterZLossOp),
            r => [r.Normal(Tokens, Experts), r.Normal(Tokens, Experts)],
            (c, x) => c.RouterZLoss(x),
            x => [x.SelectMany(logits => logits.Chunk(Experts)).Average(z => Math.Pow(LogSumExp(z), 2))], 4, 8);
    }

    private static GradCase Router(string name, RouterRule rule) => new(name, typeof(RouterOp),
        r => [r.Normal(Tokens, Experts)], (c, x) => c.Router(x[0], rule).Weights,
        x => [.. x[0].Chunk(Experts).SelectMany(z => Weights(z, rule))], 4, 8);

    /// <summary>The weights of a token's experts, best first: groups by their two best, then experts.</summary>
    private static double[] Weights(double[] z, RouterRule rule)
    {
        double[] s = rule.Scoring == RouterScoring.Sigmoid ? [.. z.Select(value => 1 / (1 + Math.Exp(-value)))]
            : [.. z.Select(value => Math.Exp(value - LogSumExp(z)))];
        int size = s.Length / rule.Groups;
        var groups = Enumerable.Range(0, rule.Groups)
            .OrderByDescending(g => s.Skip(g * size).Take(size).OrderDescending().Take(2).Sum())
            .Take(rule.GroupsChosen).ToHashSet();
        var chosen = s.Where((_, e) => groups.Contains(e / size)).OrderDescending().Take(rule.Chosen).ToList();
        return [.. chosen.Select(score => rule.Factor * score / (rule.Normalises ? chosen.Sum() : 1))];
    }

    private static double LogSumExp(double[] z) => Math.Log(z.Sum(Math.Exp));

    /// <summary>Token and slot of each row in the order of experts.</summary>
    private static IEnumerable<(int Token, int Slot)> SortedRows() => Enumerable.Range(0, Choices.Length)
        .OrderBy(slot => Choices[slot]).ThenBy(slot => slot).Select(slot => (slot / Chosen, slot));

    private static double[] Combined(double[][] x)
    {
        var y = new double[Tokens * 5];
        foreach (var ((token, slot), row) in SortedRows().Select((pair, row) => (pair, row)))
            for (int i = 0; i < 5; i++)
                y[(token * 5) + i] += x[1][slot] * x[0][(row * 5) + i];
        return y;
    }

    /// <summary>Of z [E 3, 5] and scores [n, E], each expert's three best tokens in their order.</summary>
    private static double[] Chosen3(double[][] x)
    {
        var y = new double[Tokens * 5];
        for (int e = 0; e < Experts; e++)
        {
            int[] best = [.. Enumerable.Range(0, Tokens).OrderByDescending(token => x[1][(token * Experts) + e]).Take(3)
                .Order()];
            for (int i = 0; i < 15; i++)
                y[(best[i / 5] * 5) + (i % 5)] += x[1][(best[i / 5] * Experts) + e] * x[0][(e * 15) + i];
        }
        return y;
    }

    private static double[] Balance(double[][] x, int[] seen)
    {
        double loss = 0;
        for (int e = 0; e < Experts; e++)
            loss += Experts * (seen.Sum(token => Choices.Skip(token * Chosen).Take(Chosen).Count(choice => choice == e))
                / (double)seen.Length)
                * x.SelectMany(logits => seen.Select(logits.Chunk(Experts).ElementAt))
                    .Average(z => Math.Exp(z[e] - LogSumExp(z)));
        return [loss];
    }

    private static Tensor SequenceChoices => Tensor.FromIds(new Shape(6, Chosen), Choices.AsSpan(0, 6 * Chosen));

    /// <summary>Two sequences of three tokens in each of two layers.</summary>
    private static double[] SequenceBalance(double[][] x, RouterScoring scoring)
    {
        double loss = 0;
        foreach (var layer in x)
            for (int sequence = 0; sequence < 2; sequence++)
                for (int e = 0; e < Experts; e++)
                {
                    int chosen = Choices.Skip(sequence * 3 * Chosen).Take(3 * Chosen).Count(choice => choice == e);
                    loss += (double)Experts / (Chosen * 3) * chosen * layer.Chunk(Experts).Skip(sequence * 3).Take(3)
                        .Average(z => Share(z, e, scoring)) / 2;
                }
        return [loss];
    }

    private static double Share(double[] z, int e, RouterScoring scoring) => scoring == RouterScoring.Softmax
        ? Math.Exp(z[e] - LogSumExp(z)) : 1 / (1 + Math.Exp(-z[e])) / z.Sum(value => 1 / (1 + Math.Exp(-value)));
}
