namespace Nano;

/// <summary>
/// Places of a text whose tokens a model has to tell (Devlin et al., "BERT", 2018, section 3.1): 15 % of the tokens
/// that are not special; of these 80 % become [MASK], 10 % any token, 10 % stay as they are. A pure function of the
/// seed, the step, the row and the place: four random words of each place decide.
/// </summary>
/// <param name="MaskToken">The id of [MASK].</param>
/// <param name="VocabSize">V.</param>
/// <param name="Special">Ids that are never chosen: those that begin and end a text, and padding.</param>
public sealed record MaskedTokens(int MaskToken, int VocabSize, ValueList<int> Special)
{
    private const double MaskedShare = 0.8, RandomShare = 0.1, Words = 1.0 / (1L << 32);

    /// <summary>The share of tokens that are chosen.</summary>
    public double Share { get; init; } = 0.15;

    /// <summary>
    /// Chooses places of a row and changes ids there. At least one is chosen where there is a token that can be.
    /// </summary>
    /// <param name="seed">The seed of the run.</param>
    /// <param name="step">The step.</param>
    /// <param name="row">The row of the whole batch.</param>
    /// <param name="ids">The ids of the row, some of which change.</param>
    /// <param name="targets">Receives the ids of chosen places, -100 elsewhere.</param>
    public void Apply(ulong seed, long step, int row, Span<int> ids, Span<int> targets)
    {
        ulong key = Philox.Key(seed, (ulong)RandomPurpose.MaskedTokens);
        targets[..ids.Length].Fill(UpdateBatch.Ignored);
        int nearest = -1, chosen = 0;
        uint least = uint.MaxValue;
        for (int t = 0; t < ids.Length; t++)
        {
            if (Special.Contains(ids[t]))
                continue;
            uint draw = Draw(t).A;
            if (nearest < 0 || draw < least)
                (nearest, least) = (t, draw);
            if (draw * Words < Share)
                Choose(t, ids, targets);
            chosen += draw * Words < Share ? 1 : 0;
        }
        if (chosen == 0 && nearest >= 0)
            Choose(nearest, ids, targets);

        (uint A, uint B, uint C, uint D) Draw(int t) =>
            Philox.Draw(key, (ulong)step, ((ulong)row << 32) | (uint)t);
        void Choose(int t, Span<int> ids, Span<int> targets)
        {
            var (_, b, c, _) = Draw(t);
            targets[t] = ids[t];
            if (b * Words < MaskedShare)
                ids[t] = MaskToken;
            else if (b * Words < MaskedShare + RandomShare)
                ids[t] = (int)(((ulong)c * (ulong)VocabSize) >> 32);
        }
    }
}
