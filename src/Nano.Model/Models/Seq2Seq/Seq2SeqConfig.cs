using System.Text.Json;

namespace Nano;

/// <summary>The kinds of attention from a recurrent decoder to the text.</summary>
public enum Seq2SeqAttention
{
    /// <summary>Scores are products through a matrix, see <see cref="Nano.Luong"/>.</summary>
    Luong,

    /// <summary>Scores are a small net's, see <see cref="Nano.Bahdanau"/>.</summary>
    Bahdanau,
}

/// <summary>A recurrent encoder and decoder with attention as data.</summary>
public sealed record Seq2SeqConfig : ArchitectureConfig
{
    /// <summary>The attention, and with it the cells.</summary>
    public required Seq2SeqAttention Attention { get; init; }

    /// <summary>Ids of the text that is read.</summary>
    public required int VocabSize { get; init; }

    /// <summary>Ids of the text that is written.</summary>
    public required int TargetVocabSize { get; init; }

    /// <summary>E: width of both token tables.</summary>
    public required int EmbeddingSize { get; init; }

    /// <summary>H: width of the states.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>A: width of the net that scores, of <see cref="Seq2SeqAttention.Bahdanau"/>.</summary>
    public int AttentionSize { get; init; } = 1;

    /// <inheritdoc/>
    public override string ModelType => "seq2seq";

    internal override int Depth => 2;

    internal override Model NewModel(Parameters parameters) => Attention == Seq2SeqAttention.Luong
        ? new Luong(this, parameters) : new Bahdanau(this, parameters);

    /// <inheritdoc/>
    protected internal override string? Problem() => SizeChecks.Problem(
    [
        ("vocabulary size", VocabSize, 1 << 24), ("vocabulary size of what is written", TargetVocabSize, 1 << 24),
        ("width of the token tables", EmbeddingSize, MaxChannels), ("width of the state", HiddenSize, MaxChannels),
        ("width of the attention", AttentionSize, MaxChannels),
    ]);

    /// <summary>Reads a config.json.</summary>
    /// <exception cref="BadFileException">A size is missing, another attention, or a value of the wrong
    /// type.</exception>
    internal static Seq2SeqConfig Read(ConfigJson file)
    {
        string kind = file.String("attention") ?? throw file.Bad("'attention' is missing");
        var attention = kind switch
        {
            "luong_general" => Seq2SeqAttention.Luong,
            "bahdanau" => Seq2SeqAttention.Bahdanau,
            _ => throw file.Bad($"'attention' is {Quoted.Of(kind)}; supported: luong_general, bahdanau"),
        };
        return new()
        {
            Attention = attention,
            VocabSize = file.RequiredInt("vocab_size"),
            TargetVocabSize = file.RequiredInt("target_vocab_size"),
            EmbeddingSize = file.RequiredInt("embedding_size"),
            HiddenSize = file.RequiredInt("hidden_size"),
            AttentionSize = attention == Seq2SeqAttention.Luong ? 1 : file.RequiredInt("attention_size"),
        };
    }

    /// <inheritdoc/>
    protected override void WriteTo(Utf8JsonWriter json)
    {
        json.WriteString("model_type", ModelType);
        json.WriteString("attention", Attention == Seq2SeqAttention.Luong ? "luong_general" : "bahdanau");
        json.WriteNumber("vocab_size", VocabSize);
        json.WriteNumber("target_vocab_size", TargetVocabSize);
        json.WriteNumber("embedding_size", EmbeddingSize);
        json.WriteNumber("hidden_size", HiddenSize);
        if (Attention == Seq2SeqAttention.Bahdanau)
            json.WriteNumber("attention_size", AttentionSize);
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Name, string Value)> Describe() =>
    [
        ("attention", Attention.ToString()), ("vocabulary", Text(VocabSize)),
        ("target_vocabulary", Text(TargetVocabSize)), ("embedding", Text(EmbeddingSize)), ("hidden", Text(HiddenSize)),
        ("attention_size", Text(AttentionSize)),
    ];
}
