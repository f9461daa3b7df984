namespace Nano;

/// <summary>
/// Names of files and tensors in a family of encoders, and the few places in which families differ that no config.json
/// tells. Names of a layer stand behind <see cref="Layer"/>, its number and a point.
/// </summary>
internal sealed record BertFamily(string ModelType, string ClassPrefix)
{
    /// <summary>BERT, and the names that others share with it.</summary>
    public static BertFamily Bert { get; } = new("bert", "Bert");

    /// <summary>
    /// RoBERTa (Liu et al., "RoBERTa: A Robustly Optimized BERT Pretraining Approach", 2019): positions are counted
    /// from behind the id of padding.
    /// </summary>
    private static BertFamily Roberta { get; } = Bert with
    {
        ModelType = "roberta",
        ClassPrefix = "Roberta",
        ReadsPairs = false,
        CountsFromPadding = true,
        Transform = "lm_head.dense",
        TransformNorm = "lm_head.layer_norm",
        TokenBias = "lm_head.bias",
        TableCopy = "lm_head.decoder.weight",
        BiasCopy = "lm_head.decoder.bias",
        ClassDense = "classifier.dense",
        Classifier = "classifier.out_proj",
    };

    /// <summary>DistilBERT (Sanh et al., 2019): no token types, no pooler.</summary>
    private static BertFamily DistilBert { get; } = Bert with
    {
        ModelType = "distilbert",
        ClassPrefix = "DistilBert",
        ReadsPairs = false,
        Layer = "transformer.layer.",
        Query = "attention.q_lin",
        Key = "attention.k_lin",
        Value = "attention.v_lin",
        Output = "attention.out_lin",
        AttentionNorm = "sa_layer_norm",
        Wide = "ffn.lin1",
        Narrow = "ffn.lin2",
        MlpNorm = "output_layer_norm",
        Pooler = null,
        Transform = "vocab_transform",
        TransformNorm = "vocab_layer_norm",
        TokenBias = "vocab_projector.bias",
        TableCopy = "vocab_projector.weight",
        BiasCopy = null,
        ClassDense = "pre_classifier",
        ClassActivation = ActivationKind.Relu,
    };

    /// <summary>
    /// ELECTRA (Clark et al., "ELECTRA: Pre-training Text Encoders as Discriminators Rather Than Generators", 2020): a
    /// generator fills masked places, and a discriminator finds the tokens that are not the text's.
    /// </summary>
    private static BertFamily Electra { get; } = Bert with
    {
        ModelType = "electra",
        ClassPrefix = "Electra",
        ReadsPairs = false,
        FindsReplaced = true,
        Projection = "embeddings_project",
        Pooler = null,
        Transform = "generator_predictions.dense",
        TransformNorm = "generator_predictions.LayerNorm",
        TokenBias = "generator_lm_head.bias",
        TableCopy = "generator_lm_head.weight",
        BiasCopy = null,
        ClassDense = "classifier.dense",
        ClassActivation = ActivationKind.GeluErf,
        Classifier = "classifier.out_proj",
    };

    /// <summary>
    /// ALBERT (Lan et al., "ALBERT: A Lite BERT for Self-supervised Learning of Language Representations", 2019): one
    /// layer's weights in all layers, and a narrow table.
    /// </summary>
    private static BertFamily Albert { get; } = Bert with
    {
        ModelType = "albert",
        ClassPrefix = "Albert",
        SharesLayers = true,
        Projection = "encoder.embedding_hidden_mapping_in",
        Layer = "encoder.albert_layer_groups.0.albert_layers.",
        Query = "attention.query",
        Key = "attention.key",
        Value = "attention.value",
        Output = "attention.dense",
        AttentionNorm = "attention.LayerNorm",
        Wide = "ffn",
        Narrow = "ffn_output",
        MlpNorm = "full_layer_layer_norm",
        Pooler = "pooler",
        Transform = "predictions.dense",
        TransformNorm = "predictions.LayerNorm",
        TokenBias = "predictions.bias",
        TableCopy = "predictions.decoder.weight",
        BiasCopy = "predictions.decoder.bias",
        Pairs = "sop_classifier.classifier",
        PairLabels = "sentence_order_label",
    };

    private static readonly BertFamily[] All = [Bert, Roberta, DistilBert, Electra, Albert];

    /// <summary>The model_type of each.</summary>
    public static IEnumerable<string> ModelTypes => All.Select(family => family.ModelType);

    /// <summary>The family of a model_type, or null.</summary>
    public static BertFamily? Find(string? modelType) => Array.Find(All, family => family.ModelType == modelType);

    /// <summary>The prefix of all tensors but the heads'.</summary>
    public string Prefix => ModelType + ".";

    /// <summary>True if positions begin at the id of padding plus one, and padding has that id's position.</summary>
    public bool CountsFromPadding { get; private init; }

    /// <summary>True if all layers have the weights of one.</summary>
    public bool SharesLayers { get; private init; }

    /// <summary>The matrix from the width of embeddings to that of layers; null where they must be equal.</summary>
    public string? Projection { get; private init; }

    /// <summary>The beginning of a layer's names, before its number.</summary>
    public string Layer { get; private init; } = "encoder.layer.";

    public string Query { get; private init; } = "attention.self.query";

    public string Key { get; private init; } = "attention.self.key";

    public string Value { get; private init; } = "attention.self.value";

    public string Output { get; private init; } = "attention.output.dense";

    public string AttentionNorm { get; private init; } = "attention.output.LayerNorm";

    public string Wide { get; private init; } = "intermediate.dense";

    public string Narrow { get; private init; } = "output.dense";

    public string MlpNorm { get; private init; } = "output.LayerNorm";

    /// <summary>The matrix behind the first token, or null for none.</summary>
    public string? Pooler { get; private init; } = "pooler.dense";

    /// <summary>The matrix in front of the word table in the head of masked tokens, and its norm and bias.</summary>
    public string Transform { get; private init; } = "cls.predictions.transform.dense";

    public string TransformNorm { get; private init; } = "cls.predictions.transform.LayerNorm";

    public string TokenBias { get; private init; } = "cls.predictions.bias";

    /// <summary>Tensors that repeat the word table and the bias in files.</summary>
    public string TableCopy { get; private init; } = "cls.predictions.decoder.weight";

    public string? BiasCopy { get; private init; } = "cls.predictions.decoder.bias";

    /// <summary>True if there is a head of sentence pairs.</summary>
    public bool ReadsPairs { get; private init; } = true;

    /// <summary>True if there is a head of replaced tokens.</summary>
    public bool FindsReplaced { get; private init; }

    /// <summary>The head of sentence pairs, and the name of its labels in a batch.</summary>
    public string Pairs { get; private init; } = "cls.seq_relationship";

    public string PairLabels { get; private init; } = "next_sentence_label";

    /// <summary>The matrix behind the first token that classes read instead of the pooler, or null.</summary>
    public string? ClassDense { get; private init; }

    /// <summary>The function behind that matrix.</summary>
    public ActivationKind ClassActivation { get; private init; } = ActivationKind.Tanh;

    /// <summary>The head of classes.</summary>
    public string Classifier { get; private init; } = "classifier";
}
