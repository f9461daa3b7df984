namespace Nano;

/// <summary>
/// ROUGE-L (Lin, "ROUGE: a package for automatic evaluation of summaries", 2004), as Google's
/// rouge_score computes it without stemming: with L the length of the longest common subsequence of
/// the words of prediction and reference, <code>P = L / words of the prediction, R = L / words of
/// the reference, F1 = 2 P R / (P + R)</code> Words are runs of a to z and 0 to 9 in lower case;
/// everything else separates them. Of several references the best counts.
/// </summary>
public static class RougeL
{
    /// <summary>F1, from 0 to 1, with the reference that gives the most.</summary>
    public static double F1(string prediction, IReadOnlyList<string> references)
    {
        string[] words = Words(prediction);
        return references.Max(reference => F1(words, Words(reference)));
    }

    private static double F1(string[] prediction, string[] reference)
    {
        double common = CommonSubsequence(prediction, reference);
        return common == 0 ? 0 : 2 * common / (prediction.Length + reference.Length); // P and R put in
    }

    /// <summary>The length of the longest common subsequence, by rows of the usual table.</summary>
    private static int CommonSubsequence(string[] a, string[] b)
    {
        int[] row = new int[b.Length + 1];
        foreach (string word in a)
        {
            int diagonal = 0;
            for (int j = 1; j <= b.Length; j++)
                (diagonal, row[j]) = (row[j], word == b[j - 1] ? diagonal + 1 : Math.Max(row[j], row[j - 1]));
        }
        return row[b.Length];
    }

    private static string[] Words(string text) =>
        EvaluationText.Split(EvaluationText.Lower(text), c => c.IsAscii && char.IsAsciiLetterOrDigit((char)c.Value));
}
