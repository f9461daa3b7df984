using System.Text.Json;

namespace Nano;

/// <summary>The config.json of encoders.</summary>
public sealed partial record BertConfig
{
    private static readonly (BertHead Head, string Suffix)[] Classifications =
    [
        (BertHead.None, "Model"), (BertHead.PreTraining, "ForPreTraining"), (BertHead.MaskedTokens, "ForMaskedLM"),
        (BertHead.Classes, "ForSequenceClassification"),
    ];

    /// <summary>Reads a config.json.</summary>
    /// <exception cref="BadFileException">A variant that is not supported, or a value of the wrong type.</exception>
    internal static BertConfig Read(ConfigJson file, BertFamily family)
    {
        if (file.String("position_embedding_type") is { } positions and not "absolute")
            throw file.Bad($"'position_embedding_type' is {Quoted.Of(positions)}; supported: absolute");
        var labels = LabelNames(file);
        var config = family.ModelType == "distilbert" ? ReadDistilled(file) : ReadSizes(file, family);
        return config with
        {
            Family = family.ModelType,
            PadToken = file.Int("pad_token_id") ?? (family.CountsFromPadding ? 1 : 0),
            Labels = labels,
            Classes = file.Object("id2label")?.Count ?? file.Int("num_labels") ?? 2,
            Head = HeadOf(file, family),
        };
    }

    private static BertConfig ReadSizes(ConfigJson file, BertFamily family)
    {
        foreach (string key in (string[])["num_hidden_groups", "inner_group_num"])
            if (family.SharesLayers && file.Int(key) is { } groups and not 1)
                throw file.Bad($"'{key}' is {groups}; supported: 1");
        int channels = file.RequiredInt("hidden_size");
        return new()
        {
            VocabSize = file.RequiredInt("vocab_size"),
            ContextLength = file.RequiredInt("max_position_embeddings"),
            Layers = file.RequiredInt("num_hidden_layers"),
            Heads = file.RequiredInt("num_attention_heads"),
            Channels = channels,
            Intermediate = file.RequiredInt("intermediate_size"),
            EmbeddingSize = family.Projection is null ? channels : file.Int("embedding_size") ?? 128,
            TokenTypes = file.Int("type_vocab_size") ?? 2,
            NormEpsilon = file.Float("layer_norm_eps") ?? 1e-12f,
            Activation = FamilyKeys.Activation(file, "hidden_act",
                family.SharesLayers ? ActivationKind.GeluTanh : ActivationKind.GeluErf),
        };
    }

    /// <summary>DistilBERT has keys of its own, and an epsilon that none of them tells.</summary>
    private static BertConfig ReadDistilled(ConfigJson file) => new()
    {
        VocabSize = file.RequiredInt("vocab_size"),
        ContextLength = file.RequiredInt("max_position_embeddings"),
        Layers = file.RequiredInt("n_layers"),
        Heads = file.RequiredInt("n_heads"),
        Channels = file.RequiredInt("dim"),
        Intermediate = file.RequiredInt("hidden_dim"),
        TokenTypes = 0,
        Activation = FamilyKeys.Activation(file, "activation", ActivationKind.GeluErf),
    };

    /// <summary>The names of classes, where they are more than numbers.</summary>
    private static ValueList<string> LabelNames(ConfigJson file)
    {
        if (file.Object("id2label") is not { } labels)
            return [];
        string[] names = [.. Enumerable.Range(0, labels.Count).Select(i => labels.String($"{i}")
            ?? throw file.Bad($"'id2label' has no '{i}'"))];
        return names.Select((name, i) => name == $"LABEL_{i}").All(isNumber => isNumber) ? [] : [.. names];
    }

    private static BertHead HeadOf(ConfigJson file, BertFamily family)
    {
        string? name = file.Strings("architectures") is { Count: > 0 } names ? names[0] : null;
        foreach (var (head, suffix) in Classifications)
            if (name is null || name == family.ClassPrefix + suffix)
                return head == BertHead.PreTraining && family.FindsReplaced ? BertHead.ReplacedTokens : head;
        throw file.Bad($"'architectures' names {Quoted.Of(name)}; supported: "
            + string.Join(", ", Classifications.Select(kind => family.ClassPrefix + kind.Suffix)));
    }

    /// <inheritdoc/>
    protected override void WriteTo(Utf8JsonWriter json)
    {
        var head = Head == BertHead.ReplacedTokens ? BertHead.PreTraining : Head;
        WriteKind(json, Names.ClassPrefix + Classifications.First(kind => kind.Head == head).Suffix, ModelType);
        bool isDistilled = Family == "distilbert";
        json.WriteNumber("vocab_size", VocabSize);
        json.WriteNumber(isDistilled ? "dim" : "hidden_size", Channels);
        json.WriteNumber(isDistilled ? "n_layers" : "num_hidden_layers", Layers);
        json.WriteNumber(isDistilled ? "n_heads" : "num_attention_heads", Heads);
        json.WriteNumber(isDistilled ? "hidden_dim" : "intermediate_size", Intermediate);
        json.WriteNumber("max_position_embeddings", ContextLength);
        json.WriteString(isDistilled ? "activation" : "hidden_act", FamilyKeys.NameOf(Activation));
        if (!isDistilled)
        {
            json.WriteNumber("type_vocab_size", TokenTypes);
            WriteFloat(json, "layer_norm_eps", NormEpsilon);
            json.WriteString("position_embedding_type", "absolute");
        }
        if (Names.Projection is not null)
            json.WriteNumber("embedding_size", EmbeddingSize);
        json.WriteNumber("initializer_range", 0.02);
        json.WriteNumber("pad_token_id", PadToken);
        if (Head == BertHead.Classes)
            WriteNames(json);
        json.WriteString("torch_dtype", "float32");
    }

    private void WriteNames(Utf8JsonWriter json)
    {
        if (Labels.Count == 0)
        {
            WriteLabels(json, Classes);
            return;
        }
        json.WriteStartObject("id2label");
        for (int i = 0; i < Labels.Count; i++)
            json.WriteString($"{i}", Labels[i]);
        json.WriteEndObject();
        if (Labels.Distinct().Count() < Labels.Count)
            return;
        json.WriteStartObject("label2id");
        for (int i = 0; i < Labels.Count; i++)
            json.WriteNumber(Labels[i], i);
        json.WriteEndObject();
    }
}
