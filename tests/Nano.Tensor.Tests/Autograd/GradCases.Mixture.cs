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
        yield return new("dispatch", typeof(DispatchOp), r => [r.Normal(Tokens, 5)],
            (c, x) => c.Dispatch(x[0], new Dispatch(c, ChoiceIds, Experts)),
            x => [.. SortedRows().SelectMany(row => x[0].Skip(row.Token * 5).Take(5))], 0, 2);
        yield return new("combine", typeof(CombineOp), r => [r.Normal(Tokens * Chosen, 5), r.Normal(Tokens, Chosen)],
            (c, x) => c.Combine(x[0], x[1], new Dispatch(c, ChoiceIds, Experts)), Combined, 4, 8);
        yield return new("balance loss", typeof(BalanceLossOp),
            r => [r.Normal(Tokens, Experts), r.Normal(Tokens, Experts)],
            (c, x) => c.BalanceLoss(x, [ChoiceIds, ChoiceIds]), Balance, 4, 8);
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

    private static double[] Balance(double[][] x)
    {
        double loss = 0;
        for (int e = 0; e < Experts; e++)
            loss += Experts * ((double)Choices.Count(choice => choice == e) / Tokens)
                * x.SelectMany(logits => logits.Chunk(Experts)).Average(z => Math.Exp(z[e] - LogSumExp(z)));
        return [loss];
    }
}
