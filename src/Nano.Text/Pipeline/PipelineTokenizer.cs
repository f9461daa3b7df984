using System.Collections.Concurrent;
using System.Text;

namespace Nano;

/// <summary>
/// Any tokenizer.json, run step by step as Hugging Face's tokenizers library runs it: added tokens are found, what lies
/// between them is normalized, added tokens are found in that, what lies between these is cut into pieces, and the
/// model makes ids of each piece. Special tokens are decoded as their text.
/// </summary>
/// <param name="pipeline">The steps.</param>
/// <param name="document">The file as it is written again.</param>
/// <param name="beginId">The id in front of a prompt, or null.</param>
/// <param name="endIds">The ids that end a text.</param>
internal sealed class PipelineTokenizer(Pipeline pipeline, byte[] document, int? beginId, IReadOnlyList<int> endIds)
    : ITokenizer
{
    private readonly ConcurrentQueue<PipelineWorkspace> spare = new();
    private readonly byte[]?[] bytes = new byte[]?[pipeline.VocabSize], firstBytes = new byte[]?[pipeline.VocabSize];

    /// <inheritdoc/>
    public int VocabSize => pipeline.VocabSize;

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, int> SpecialTokens { get; } =
        pipeline.Added.Tokens.Where(token => token.Special).ToDictionary(token => token.Text, token => token.Id);

    /// <inheritdoc/>
    public int? BeginId => beginId;

    /// <inheritdoc/>
    public IReadOnlyList<int> EndIds => endIds;

    /// <inheritdoc/>
    public int[] Encode(ReadOnlySpan<char> text, bool allowSpecial = false)
    {
        BpeWorkspace.CheckPairs(text);
        if (!spare.TryDequeue(out var work))
            work = new PipelineWorkspace((pipeline.Model as BpeModel)?.Table);
        try
        {
            work.Count = 0;
            var spans = new List<AddedSpan>();
            pipeline.Added.Find(text, inNormalized: false, allowSpecial, spans);
            foreach (var (id, start, end) in spans)
            {
                if (id >= 0)
                    work.Add(id);
                else
                    EncodeText(work, TextPiece.Of(text[start..end].ToString(), start == 0), allowSpecial);
            }
            return work.ToArray();
        }
        finally
        {
            work.Trim();
            spare.Enqueue(work);
        }
    }

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids)
    {
        var tokens = new List<string>(ids.Length);
        long length = 0;
        foreach (int id in ids)
            if (TokenOf(id) is { } token)
            {
                tokens.Add(token);
                length += token.Length + 1;
            }
        if (pipeline.Decoders is null)
            return string.Join(' ', tokens);
        foreach (var decoder in pipeline.Decoders)
        {
            tokens = decoder.Apply(tokens);
            Pipeline.CheckLength(tokens.Sum(token => (long)token.Length), PieceBuilder.Limit(length));
        }
        return string.Concat(tokens);
    }

    /// <inheritdoc/>
    public ReadOnlySpan<byte> BytesOf(int id, bool first = false)
    {
        string? token = TokenOf(id);
        return (first ? firstBytes : bytes)[id] ??= token is null ? [] : BytesOf(token, first);
    }

    /// <inheritdoc/>
    public void Save(string path) => AtomicFile.Write(path, stream => stream.Write(document));

    private byte[] BytesOf(string token, bool first)
    {
        if (pipeline.Decoders is null)
            return Encoding.UTF8.GetBytes(first ? token : " " + token);
        long limit = PieceBuilder.Limit(token.Length);
        foreach (var decoder in pipeline.Decoders)
        {
            if (decoder.BytesOf(token) is { } own)
                return own;
            token = decoder.One(token, first);
            Pipeline.CheckLength(token.Length, limit);
        }
        return Encoding.UTF8.GetBytes(token);
    }

    private string? TokenOf(int id) => (uint)id >= (uint)VocabSize
        ? throw new NanoException($"the id {id} is outside the vocabulary, whose ids run from 0 to {VocabSize - 1}",
            "do model and tokenizer belong together?")
        : pipeline.TokenOf(id);

    private void EncodeText(PipelineWorkspace work, TextPiece text, bool allowSpecial)
    {
        text = Pipeline.Normalize(pipeline.Normalizers, text);
        var spans = new List<AddedSpan>();
        if (text.Length > 0)
            pipeline.Added.Find(text.Span, inNormalized: true, allowSpecial, spans);
        foreach (var (id, start, end) in spans)
        {
            if (id >= 0)
                work.Add(id);
            else
                EncodePieces(work, text.Slice(start, end - start));
        }
    }

    private void EncodePieces(PipelineWorkspace work, TextPiece text)
    {
        long limit = PieceBuilder.Limit(text.Length);
        work.Pieces.Clear();
        work.Pieces.Add(text);
        foreach (var step in pipeline.PreTokenizers)
        {
            work.Others.Clear();
            foreach (var piece in work.Pieces)
                step.Cut(piece, work.Others);
            (work.Pieces, work.Others) = (work.Others, work.Pieces);
            Pipeline.CheckLength(work.Pieces.Sum(piece => (long)piece.Length), limit);
        }
        foreach (var piece in work.Pieces)
            work.Encode(pipeline.Model, piece.Span);
    }
}
